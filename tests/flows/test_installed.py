"""The wheel and what it is locked to, nothing else, and servers from the environment."""

import re
import shutil
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from zipfile import ZipFile

import pytest

from bench.stack import Browser
from common.config import Config
from common.service import services
from tests.common.wire import eventually
from tests.everything import everything

ROOT = Path(__file__).parents[2]
PACKAGES = ("common", *(service.name for service in services()))
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves things of its own where it builds."""
    folder = tmp_path_factory.mktemp("source")
    for name in (*PACKAGES, "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    subprocess.run([*PIP, "wheel", *options, folder], check=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_has_all_there_is(wheel: Path) -> None:
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    ours = {str(path.relative_to(ROOT)) for path in files if path.suffix not in (".po", ".pyc")}

    with ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert shipped == ours


@pytest.fixture
def exchange(wheel: Path, tmp_path: Path) -> Path:
    """The command, where nothing is installed but the wheel and what it is locked to."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    site = next(tmp_path.glob("venv/lib/python*/site-packages"))
    for name in re.findall(r"^[\w.-]+", (ROOT / "requirements" / "base.txt").read_text(), re.M):
        with suppress(PackageNotFoundError):  # some are for other Pythons
            link(name, site)
    python = tmp_path / "venv" / "bin" / "python"
    into = ("--python", python, "install", "--no-deps", "--no-index")
    subprocess.run([*PIP, *into, wheel], check=True)
    return python.with_name("exchange")


def link(name: str, site: Path) -> None:
    """What pip unpacked here of that name is there, too."""
    found = distribution(name)
    for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        (site / top).symlink_to(Path(str(found.locate_file(top))))


def test_an_installation_works_from_the_click_to_the_letter(
    settings: Config, exchange: Path, inbox: Path, tmp_path: Path
) -> None:
    with everything(settings, tmp_path, exchange) as installed:
        eventually(installed.is_ready, 60)
        installed.add_user("bob@example.com", "worker")
        bob = Browser(installed.url, "bob@example.com")

        task = bob.post("/tasks", {"title": "Unpack"})
        bob.post(f"/tasks/{task['id']}/completion")
        installed.run("user", "add", "cat@example.com", "--name", "Cat", "--role", "worker")

        eventually(lambda: len(bob.get("/earnings")["transfers"]) == 2)
        eventually(lambda: [p for p in inbox.glob("*.eml") if "cat@example.com" in p.read_text()])
        page = bob.open("/tasks", accept="text/html", **{"Accept-Language": "ru"}).decode()
        assert "Задачи" in page
        assert bob.open(re.findall(r'href="(/static/app[^"]*)"', page)[0], accept="*/*")
        assert installed.ended() == []
