"""Where the wheels that carry servers keep them."""

from importlib.util import find_spec
from pathlib import Path

from common.stack.state import StackError


def wheel(package: str) -> Path:
    """The folder of `package`, which is not imported: that takes time and looks around."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise StackError(f"{package} is not installed; `make run` installs it.")
    return Path(spec.origin).parent
