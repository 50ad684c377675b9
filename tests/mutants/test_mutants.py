"""The mutants still fit the sources; `make mutants` lets them loose."""

import ast

import pytest

from tests.mutants import ALL
from tests.mutants.mutant import Mutant
from tests.sources import ROOT


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_applies_and_its_tests_are_there(mutant: Mutant) -> None:
    assert mutant.misfit() == ""

    for test in mutant.tests:
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text())
        assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
