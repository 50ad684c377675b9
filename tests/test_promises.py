"""The table of promises names tests that are there, and every promise has one."""

import pytest

from tests.promises import proofs, rows

TABLE = rows()
PROOFS = proofs()


def test_every_marked_promise_has_its_row() -> None:
    assert sorted(TABLE) == list(range(1, 45))
    assert set(PROOFS) <= set(TABLE)


@pytest.mark.parametrize("number", sorted(TABLE))
def test_a_promise_names_tests_that_prove_it(number: int) -> None:
    named = {f"tests/{name.strip('`')}" for name in TABLE[number][3].split("<br>") if name}

    assert named, "no test is marked with it, or run python -m tests.promises"
    assert named <= set(PROOFS[number]), "run python -m tests.promises"
