"""`exchange up` on folders of its own, with a Procfile that needs no service."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from common.stack.child import family
from common.stack.launcher import Plan
from common.stack.state import State, free_ports, load_env
from common.stack.status import status

# The worker leaves a grandchild in its group, as an RQ worker leaves its job.
PROCFILE = """\
sleeper-work: sh -c 'echo awake; sleep 1000 & wait'
sleeper-relay: sleep 1000
"""


class Up:
    """A stack that was told to come up."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.state = State(folder / "state")
        self.port = port or free_ports({"gateway": None})["gateway"]
        procfile = folder / "Procfile"
        procfile.write_text(PROCFILE)
        prepare = ("echo up to date",)
        plan = Plan(str(self.state.folder), str(procfile), self.port, prepare, (), fast=True)
        command = [sys.executable, "-m", "common.stack.launcher", json.dumps(asdict(plan))]
        self.launcher = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def wait_until_ready(self) -> "Up":
        assert self.launcher.stdout
        for line in self.launcher.stdout:
            if "Task Exchange is at" in line:
                return self
        raise AssertionError("it ended before it was ready")

    def end(self) -> int:
        self.launcher.send_signal(signal.SIGINT)
        self.launcher.communicate(timeout=40)
        return self.launcher.returncode

    def child(self, name: str) -> dict[str, Any]:
        found = status(self.state)
        return next(c for c in found["processes"] + found["servers"] if c["name"] == name)

    def pids(self) -> list[int]:
        return [process.pid for members in family(self.state).values() for process in members]

    def query(self, key: str, sql: str) -> Any:
        """What `sql` answers at the address in `key`; None for what answers nothing."""
        db = psycopg2.connect(load_env(self.state)[key], connect_timeout=2)
        db.autocommit = True
        with db.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
        db.close()
        return row[0] if row else None


def until(holds: Callable[[], Any], seconds: float = 10) -> None:
    """`holds` becomes true in time; an address that does not answer yet is not."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except psycopg2.Error:
            pass
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@pytest.fixture(scope="module", autouse=True)
def bare_environment() -> Iterator[None]:
    """Nothing is said of any other stack, such as the one of the whole test session."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("EXCHANGE_", "GATEWAY_")) or name.endswith("_URL"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Up]]:
    """`start()` brings a stack up that ends with the test; its data serve the whole module."""
    started: list[Up] = []

    def start(folder: Path = home, port: int | None = None) -> Up:
        started.append(Up(folder, port))
        return started[-1]

    yield start
    for up in started:
        if up.launcher.poll() is None:
            up.end()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack that runs through all tests of a module."""
    up = Up(tmp_path_factory.mktemp("up")).wait_until_ready()
    yield up
    up.end()
