"""The wheel and what it is locked to, nothing else, and servers from the environment."""

import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest

from bench.stack import PASSWORD, Browser, free_port
from common.config import Config
from common.service import services
from common.stack.postgres import Postgres
from common.stack.state import LISTENERS, OWNERS, State
from tests.common.wire import eventually

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


@pytest.fixture
def env(settings: Config) -> Iterator[dict[str, str]]:
    """All that the processes are told; the databases are empty ones."""
    ports = {name: free_port() for name in ("gateway", *LISTENERS)}
    bind = f"127.0.0.1:{ports['gateway']}"
    told = {"GATEWAY_BIND": bind, "EXCHANGE_URL": f"http://{bind}", "GATEWAY_HOSTS": "127.0.0.1"}
    told |= {"EXCHANGE_SECRET_KEY": "of-an-installation", "WEB_CONCURRENCY": "1"}
    told |= {f"{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in LISTENERS}
    for name, value in settings.env.items():
        if value.startswith("postgresql://"):
            told[name] = urlsplit(value)._replace(path=f"{urlsplit(value).path}_installed").geturl()
        elif name.startswith("MAIL_"):
            told[name] = value
    for number, name in enumerate(("BUS_URL", "QUEUE_URL"), start=2):
        told[name] = urlsplit(settings.need(name))._replace(path=f"/{number}").geturl()
    primary = Postgres(State.at(settings.need("EXCHANGE_STATE")), "postgres-primary")
    with closing(primary.connect()) as db, db.cursor() as sql:
        for name in OWNERS:
            sql.execute(f"CREATE DATABASE {name}_installed OWNER {name}")
        yield told
        for name in OWNERS:
            sql.execute(f"DROP DATABASE {name}_installed WITH (FORCE)")


@pytest.fixture
def run(exchange: Path, env: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """`run("migrate")`: what the command says, in an environment that names no state folder."""

    def said(*words: str, text: str = "") -> str:
        asked = subprocess.run([exchange, *words], env=env, cwd=tmp_path, input=text, text=True,
                               stdout=subprocess.PIPE, check=True)  # fmt: skip
        return asked.stdout

    return said


@pytest.fixture
def processes(exchange: Path, env: dict[str, str], tmp_path: Path) -> Iterator[Callable]:
    """Starts every process of the Procfile."""
    made: list[subprocess.Popen[bytes]] = []

    def start() -> list[subprocess.Popen[bytes]]:
        for line in (ROOT / "procfiles" / "dev").read_text().splitlines():
            name, _, command = line.partition(": exchange ")
            with (tmp_path / name).open("w") as log:
                words = [exchange, *command.split()]
                made.append(subprocess.Popen(words, env=env, cwd=tmp_path, stdout=log, stderr=log))
        return made

    yield start
    for process in made:
        process.kill()
        process.wait()


def test_an_installation_works_from_the_click_to_the_letter(
    env: dict[str, str], run: Callable[..., str], processes: Callable, inbox: Path
) -> None:
    run("migrate")
    started = processes()
    eventually(lambda: is_ready(env["EXCHANGE_URL"]))
    bob = signed_in(run, env, "bob", "worker")

    task = bob.post("/tasks", {"title": "Unpack"})
    bob.post(f"/tasks/{task['id']}/completion")
    run("user", "add", "cat@example.com", "--name", "Cat", "--role", "worker")

    eventually(lambda: len(bob.get("/earnings")["transfers"]) == 2)
    eventually(lambda: [p for p in inbox.glob("*.eml") if "cat@example.com" in p.read_text()])
    page = bob.open("/tasks", accept="text/html", **{"Accept-Language": "ru"}).decode()
    assert "Задачи" in page
    assert bob.open(re.findall(r'href="(/static/app[^"]*)"', page)[0], accept="*/*")
    assert [process.poll() for process in started] == [None] * len(started)


def is_ready(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(f"{url}/readyz", timeout=5).status == 200)
    except OSError:
        return False


def signed_in(run: Callable[..., str], env: dict[str, str], name: str, role: str) -> Browser:
    email = f"{name}@example.com"
    run("user", "add", email, "--name", name, "--role", role, "--password-stdin", text=PASSWORD)
    return Browser(env["EXCHANGE_URL"], email)
