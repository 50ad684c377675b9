"""What a measure works on: a running stack, its databases, and somebody signed in."""

import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, Any

import psutil
import psycopg2.extensions

from bench.figures import wait_until
from bench.stack import Browser, Stack
from common import bus_status, stream
from common.config import Config
from common.db import Server
from common.deadline import wait
from common.relay import backlog
from common.service import Service, services

WORKERS = 12
CLIENTS = 4
SIGNED_IN = {"ann@example.com": "manager", "fay@example.com": "admin"}


def service(name: str) -> Service:
    return next(one for one in services() if one.name == name)


@dataclass
class World:
    """The stack of one bench.  `notes` go to the JSON as they are."""

    stack: Stack
    is_full: bool
    notes: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def settings(self) -> Config:
        return Config(self.stack.told())

    def db(self, name: str) -> Server:
        """The primary of a service, as the service itself sees it."""
        return self.primaries[name]

    @cached_property
    def primaries(self) -> dict[str, Server]:
        return {one.name: one.open(self.settings).primary() for one in services() if one.store}

    def hang_up(self) -> None:
        """The bench has no connection to a database any more until it asks again."""
        for one in services():
            if one.store:
                one.store.close()

    @cached_property
    def people(self) -> dict[str, Browser]:
        """A manager and an admin, signed in; twelve workers are known to all services."""
        for email, role in SIGNED_IN.items():
            self.stack.add_user(email, role)
        for number in range(WORKERS):
            self.stack.add_user(f"worker{number}@example.com", "worker")
        return {email: Browser(self.stack.url, email) for email in SIGNED_IN}

    @property
    def ann(self) -> Browser:
        return self.people["ann@example.com"]

    @property
    def fay(self) -> Browser:
        return self.people["fay@example.com"]

    def id_of(self, email: str) -> Any:
        return self.db("gateway").value("SELECT id FROM person WHERE email = %s", email)

    def has_said_all(self, producer: str, *groups: str) -> bool:
        """Every fact of the producer is published, and handled by these groups."""
        if backlog(self.db(producer))[0]:
            return False
        rows = bus_status.lags(self.bus)
        heard = {
            row["group"]: row["lag"] == 0 and row["pending"] == 0
            for row in rows
            if row["stream"] == stream.name_of(producer)
        }
        return all(heard.get(group) for group in groups)

    @cached_property
    def bus(self) -> Any:
        return stream.connect(self.settings.bus_url)

    def settle(self, limit_s: float = 300) -> None:
        """Nothing is on its way any more, and the standby shows everything."""
        listeners = [(one.name, each) for one in services() for each in one.listens]
        wait_until(lambda: all(self.has_said_all(each, name) for name, each in listeners),
                   limit_s, pause_s=0.2)  # fmt: skip
        self.catch_up()

    def catch_up(self) -> None:
        """The standby shows what was committed until now."""
        lsn = self.db("accounting").value("SELECT pg_current_wal_lsn()")
        replica = service("accounting").store.replica  # type: ignore[union-attr]
        wait_until(lambda: replica.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn))


def copy(db: Server, statement: str, file: IO[bytes]) -> None:
    """COPY to or from the file."""
    # psycopg2 copies only without a wait callback, and so without our deadline.
    psycopg2.extensions.set_wait_callback(None)
    try:
        db.cursor().copy_expert(statement, file)
    finally:
        psycopg2.extensions.set_wait_callback(wait)


def at_once(work: Callable[..., None], *arguments: Any) -> float:
    """Seconds that four processes take to do `work`, from their common start."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(CLIENTS + 1)
    clients = [
        context.Process(target=begin, args=(start, work, number, *arguments), daemon=True)
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    start.wait(120)
    began = time.monotonic()
    for client in clients:
        client.join()
    took = time.monotonic() - began
    if any(client.exitcode for client in clients):
        raise RuntimeError("a client failed")
    return took


def begin(start: Any, work: Callable[..., None], number: int, *arguments: Any) -> None:
    start.wait(120)
    work(number, *arguments)


def family(pids: set[int]) -> list[psutil.Process]:
    """These processes and all that came from them, each once, of those that live."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            found |= {each.pid: each for each in [process, *process.children(recursive=True)]}
    return list(found.values())
