"""One mechanism broken in a copy of the tree, and the tests that must notice."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sources import ROOT, copy_to

# Not ERROR: a copy that does not even start shows nothing.
FAILED = re.compile(r"^FAILED tests/([\w/]+\.py::\w+)", re.M)
PASSED = re.compile(r"^PASSED tests/([\w/]+\.py::\w+)", re.M)

Edit = tuple[str, str, str]


@dataclass(frozen=True, init=False)
class Mutant:
    """`edits` are (file, the text that stands there once, what stands there instead)."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]

    def __init__(
        self, name: str, file: str, old: str, new: str, *tests: str, also: Edit = ()
    ) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "edits", ((file, old, new), *([also] if also else [])))
        object.__setattr__(self, "tests", tests)

    def misfit(self, sources: Path = ROOT) -> str:
        """Why it does not apply to the sources; nothing if it does."""
        for file, old, _ in self.edits:
            times = (sources / file).read_text().count(old)
            if times != 1:
                return f"{file} says {times} times: {old.strip()}"
        return ""

    def survived(self, sources: Path, folder: Path) -> list[str]:
        """Those of its tests that do not fail with the mechanism broken."""
        failed = set(FAILED.findall(run_tests(self.tests, sources, folder, self.edits)))
        return [test for test in self.tests if test not in failed]


def run_tests(tests: Sequence[str], sources: Path, folder: Path, edits: Sequence[Edit] = ()) -> str:
    """What pytest says of the tests in a copy of the sources with these edits."""
    copy = copy_to(folder, sources)
    for file, old, new in edits:
        path = copy / file
        path.write_text(path.read_text().replace(old, new))
    ids = [f"tests/{test}" for test in tests]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-rpfE", "-p", "no:cacheprovider", *ids],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(copy, ignore_errors=True)
    return ran.stdout


def red_already(tests: Sequence[str], sources: Path, folder: Path) -> list[str]:
    """Those that fail, in whole or in part, with nothing broken."""
    said = run_tests(tests, sources, folder)
    failed, passed = set(FAILED.findall(said)), set(PASSED.findall(said))
    return [test for test in tests if test in failed or test not in passed]
