"""The sources of this checkout, and copies of them that nobody edits meanwhile."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "*.egg-info", "images")


def copy_to(folder: Path, sources: Path = ROOT) -> Path:
    """The folder, now with a copy of the sources; it must not be there yet."""
    return shutil.copytree(sources, folder, ignore=LEFT_OUT)
