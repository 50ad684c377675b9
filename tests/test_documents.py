"""What the documents name is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}


def named(document: str, folder: str) -> set[str]:
    """The test files a document names; those without a folder are in `folder`."""
    names = re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py)`", (ROOT / document).read_text())
    return {name if "/" in name else f"{folder}/{name}" for name in names}


def test_every_test_that_security_names_exists():
    found = named("docs/security.md", "tests/gateway")

    assert len(found) > 10
    assert found - TESTS == set()


def test_every_promise_it_says_is_proved_there():
    text = (ROOT / "docs/security.md").read_text()
    rows = re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py)` \(promises? ([\d, ]+)\)", text)

    for name, numbers in rows:
        path = name if "/" in name else f"tests/gateway/{name}"
        source = (ROOT / path).read_text()
        for number in numbers.split(", "):
            assert f"promise({number})" in source, (path, number)
