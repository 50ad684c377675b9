"""Children of the stack: each in a session of its own, marked, and ended with all it started."""

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.stack.state import SERVERS, State

# The variable that tells the stack's processes from strangers, whoever their parent is by now.
MARK = "EXCHANGE_STACK"


@dataclass
class Child:
    """One process or server.  `command` is asked anew at each start."""

    state: State
    name: str
    command: Callable[[], list[str]]
    env: Mapping[str, str]
    port: int | None = None
    restarts: int = 0
    hasty: int = 0  # how often in a row it died young
    started_at: float = 0.0
    due_at: float = 0.0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It runs, and what it says goes to its log."""
        bin_folder = str(Path(sys.executable).parent)
        env = os.environ | self.env | {"PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}
        env |= {"PATH": f"{bin_folder}:{env['PATH']}", MARK: mark(self.state, self.name)}
        command = self.command()
        self.started_at = time.monotonic()
        with open(self.state.log(self.name), "ab") as log:
            self.process = subprocess.Popen(
                command,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.state.log(self.name).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing"


def mark(state: State, name: str) -> str:
    return f"{state.folder}:{name}"


def family(state: State) -> dict[str, list[psutil.Process]]:
    """{name: every live process of that child of the stack}, orphans included."""
    found = defaultdict(list)
    for process in psutil.process_iter():
        if name := child_of(state, process):
            found[name].append(process)
    return found


def child_of(state: State, process: psutil.Process) -> str | None:
    """The name of the child which `process` belongs to; None: it is a stranger."""
    try:
        folder, _, name = process.environ().get(MARK, "").rpartition(":")
        if folder == str(state.folder):
            return name
        # A PostgreSQL backend overwrites its environment with its title; it works in its data.
        cwd = Path(process.cwd()) if process.name() == "postgres" else Path()
        return cwd.name if cwd.parent == state.folder else None
    except (psutil.Error, OSError):
        return None


def end_all(state: State) -> None:
    """Nothing of the stack is left: first its processes ended, then their servers."""
    names = set(family(state))
    end(state, names.difference(SERVERS), patience=8)
    end(state, names.intersection(SERVERS), patience=30)


def end(state: State, names: Collection[str], patience: float) -> None:
    """Nothing of these children is left: leaders were asked, the rest killed after `patience` s."""
    members = family(state) if patience else {}
    leaders = [(p, name) for name in names for p in members.get(name, ()) if is_leader(p)]
    for process, name in leaders:
        ask(process, name)
    wait_for([process for process, _ in leaders], patience)
    while rest := [p for name, group in family(state).items() if name in names for p in group]:
        for process in rest:
            tell(process, signal.SIGKILL)
        wait_for(rest, 1)


def wait_for(processes: Collection[psutil.Process], patience: float) -> None:
    """None of them lives, or `patience` seconds are over."""
    deadline = time.monotonic() + patience
    while any(map(lives, processes)) and time.monotonic() < deadline:
        time.sleep(0.02)


def lives(process: psutil.Process) -> bool:
    """A zombie is not: in a container there may be nobody who ever reaps it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_leader(process: psutil.Process) -> bool:
    """The stack itself started it: PostgreSQL's backends lead sessions of their own, unmarked."""
    try:
        return os.getsid(process.pid) == process.pid and MARK in process.environ()
    except (psutil.Error, OSError):
        return False


def ask(process: psutil.Process, name: str) -> None:
    """`process` is on its way out, even if it was halted: PostgreSQL by its fast shutdown."""
    tell(process, signal.SIGINT if name.startswith("postgres-") else signal.SIGTERM)
    tell(process, signal.SIGCONT)


def tell(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
