"""Where the wheels that carry servers keep them."""

from importlib.util import find_spec
from pathlib import Path


def wheel(package: str) -> Path:
    """The folder of `package`, which is not imported: that costs time and looks for user's folders."""
    spec = find_spec(package)
    assert spec and spec.origin, f"{package} is not installed"
    return Path(spec.origin).parent
