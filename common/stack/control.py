"""The embedded servers by hand.  The supervisor leaves alone what is marked as stopped."""

import fcntl
import time
from pathlib import Path

from common.stack.child import end
from common.stack.postgres import Postgres
from common.stack.servers import listens
from common.stack.state import SERVERS, StackError, State

START_S = 60


def server_stop(folder: State | Path | str | None, name: str) -> None:
    """The server `name` is down and stays down until `server_start` or the next start of all."""
    state = running(folder, name)
    state.stopped(name).touch()
    end(state, [name], patience=30)


def server_start(folder: State | Path | str | None, name: str) -> None:
    """The server `name` answers again.  Raises StackError if it does not, or may not."""
    state = running(folder, name)
    server = Postgres(state, name)
    if name in SERVERS[:2]:
        server.prepare()
    state.stopped(name).unlink(missing_ok=True)
    deadline = time.monotonic() + START_S
    while not (server.answers() if name in SERVERS[:2] else listens(state, name)):
        if time.monotonic() > deadline:
            raise StackError(f"{name} does not answer after {START_S} s; its log may say why.")
        time.sleep(0.05)


def server_promote(folder: State | Path | str | None, name: str) -> None:
    """`name` takes writes, and the old primary follows it.

    The old one is fenced first.  Raises StackError if it cannot be rewound and so stays down.
    """
    state = running(folder, name)
    new, old = Postgres(state, name), Postgres(state, state.primary)
    if name not in SERVERS[:2] or new == old:
        raise StackError(f"{name} is no standby, so it cannot be promoted.")
    if not new.answers():
        raise StackError(f"{name} does not answer, so it cannot be promoted.")
    # First of all: from here on the old primary is not started as one, whatever happens.
    state.set_primary(name)
    server_stop(state, old.name)
    new.lead()
    try:
        server_start(state, old.name)
    except StackError as error:
        raise StackError(f"{name} takes writes; {old.name} stays down: {error}") from error


def running(folder: State | Path | str | None, name: str) -> State:
    """The state of a stack that is up and has a server `name`.  Raises StackError if not."""
    state = State.at(folder)
    if name not in SERVERS:
        raise StackError(f"There is no server {name}; there are {', '.join(SERVERS)}.")
    state.read()
    with open(state.folder / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return state
    raise StackError(f"No stack runs on {state.folder}.")
