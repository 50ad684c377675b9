"""One mechanism broken in a copy of the tree, and the tests that must notice."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.promises import ROOT

LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "images")
FAILED = re.compile(r"^(?:FAILED|ERROR) tests/([\w/]+\.py::\w+)", re.M)

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

    def misfit(self) -> str:
        """Why it does not apply to the sources as they are; nothing if it does."""
        for file, old, _ in self.edits:
            times = (ROOT / file).read_text().count(old)
            if times != 1:
                return f"{file} says {times} times: {old.strip()}"
        return ""

    def survived(self, folder: Path) -> list[str]:
        """Those of its tests that pass in a copy of the tree with the mechanism broken."""
        copy = shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        for file, old, new in self.edits:
            path = copy / file
            path.write_text(path.read_text().replace(old, new))
        ids = [f"tests/{test}" for test in self.tests]
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-rfE", "-p", "no:cacheprovider", *ids],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        shutil.rmtree(copy, ignore_errors=True)
        failed = set(FAILED.findall(ran.stdout))
        return [test for test in self.tests if test not in failed]
