"""Which tests prove which promise and what they measured, kept in docs/promises.md.

`python -m tests.promises` writes the table's last two columns anew: the tests from their marks, the
figures from the last run of each.
"""

import ast
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sources import ROOT

FIGURES = ROOT / "build" / "promises.json"
TABLE = ROOT / "docs" / "promises.md"

Figure = Callable[..., None]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """`figure("healed after", 3.2, "s")` is shown with the promise that the test proves."""

    def keep(what: str, value: float, unit: str = "") -> None:
        request.node.user_properties.append(("figure", [what, round(float(value), 2), unit]))
        print(f"{what} {span([float(value)])} {unit}".rstrip())

    return keep


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("promise"):
        item.user_properties.append(("promise", mark.args[0]))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # Where several processes share the tests, the one that gathers them gets all reports.
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    if report.when == "call" and dict(report.user_properties).get("promise"):
        remember(report)


def remember(report: pytest.TestReport) -> None:
    """The last run of this test is kept, so that one file run by itself loses nothing."""
    FIGURES.parent.mkdir(exist_ok=True)
    known = kept()
    known[report.nodeid] = {
        "outcome": report.outcome,
        "promises": [value for name, value in report.user_properties if name == "promise"],
        "figures": [value for name, value in report.user_properties if name == "figure"],
    }
    FIGURES.write_text(json.dumps(known, indent=1, sort_keys=True))


def kept() -> dict[str, Any]:
    return json.loads(FIGURES.read_text()) if FIGURES.exists() else {}


def proofs() -> dict[int, list[str]]:
    """`{promise: ["tests/…/test_x.py::test_y", …]}`, as the marks in the sources say."""
    found = defaultdict(list)
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                for number in marks(node):
                    found[number].append(f"{path.relative_to(ROOT)}::{node.name}")
    return dict(found)


def marks(function: ast.FunctionDef) -> Iterator[int]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise":
            yield from (ast.literal_eval(number) for number in mark.args)


def figures(number: int, runs: dict[str, Any]) -> str:
    """How many cases passed in the last run of each and what they measured, from least to most."""
    ran = [run for run in runs.values() if number in run["promises"]]
    passed = [run for run in ran if run["outcome"] == "passed"]
    values = defaultdict(list)
    for run in passed:
        for what, value, unit in run["figures"]:
            values[what, unit].append(value)
    measured = [f"{what} {span(found)} {unit}".strip() for (what, unit), found in values.items()]
    cases = f"{len(passed)} of {len(ran)} cases passed"
    return "; ".join([cases, *sorted(measured)]) if ran else ""


def span(values: list[float]) -> str:
    ends = dict.fromkeys(
        f"{end:,.2f}".rstrip("0").rstrip(".") for end in (min(values), max(values))
    )
    return "–".join(ends)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def rows() -> dict[int, list[str]]:
    """`{promise: [number, promise, fault, tests, figure]}` as the table says."""
    found = (cells(line) for line in TABLE.read_text().splitlines())
    return {int(row[0]): row for row in found if row[0].isdigit()}


def filled(line: str) -> str:
    """A row of the table with its tests and figures; any other line as it is."""
    row = cells(line)
    if not row[0].isdigit():
        return line
    number = int(row[0])
    tests = "<br>".join(f"`{name.removeprefix('tests/')}`" for name in proofs().get(number, []))
    row = [*row[:3], tests, figures(number, kept()) or row[4]]
    return f"| {' | '.join(row)} |".replace("  |", " |")


if __name__ == "__main__":
    TABLE.write_text("".join(filled(line) + "\n" for line in TABLE.read_text().splitlines()))
