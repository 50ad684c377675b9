"""What is done to real processes and servers; `with` undoes it.  In a test, a fault is a line."""

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import psutil

from bench.stack import EXCHANGE, Stack
from common.stack.postgres import Postgres
from common.stack.state import State

START_S = 20


def process(stack: Stack, name: str) -> psutil.Process:
    """The process or server of that name.  Raises LookupError while there is none."""
    status = stack.status()
    for child in status["processes"] + status["servers"]:
        if child["name"] == name and child["alive"]:
            return psutil.Process(child["pid"])
    raise LookupError(name)


def back(stack: Stack, name: str) -> bool:
    try:
        return process(stack, name).is_running()
    except LookupError:
        return False


def killed(stack: Stack, name: str) -> int:
    """The pid of what was killed; of web, `worker` is one below the process itself."""
    name, _, part = name.partition("/")
    found = process(stack, name)
    victim = random.choice(found.children()) if part else found
    victim.kill()
    return victim.pid


@contextmanager
def frozen(stack: Stack, name: str) -> Iterator[None]:
    """It takes connections, for the kernel does that, and answers nothing: neither it nor any
    process it started.
    """
    found = process(stack, name)
    asleep: list[psutil.Process] = []
    try:
        # The parent first, so that it starts no more.
        for one in (found, *found.children(recursive=True)):
            suspend(one)
            asleep.append(one)
        for late in set(found.children(recursive=True)).difference(asleep):
            suspend(late)
            asleep.append(late)
        yield
    finally:
        for one in reversed(asleep):
            with suppress(psutil.NoSuchProcess):
                one.resume()


def suspend(one: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        one.suspend()


@contextmanager
def stopped(stack: Stack, name: str) -> Iterator[None]:
    """An orderly end, and no start before the block is over."""
    stack.run("server", "stop", name)
    try:
        yield
    finally:
        stack.run("server", "start", name)


@contextmanager
def dead(stack: Stack, name: str) -> Iterator[None]:
    """Killed with all it started, and not started again before the block is over."""
    State.at(stack.folder).stopped(name).touch()
    found = process(stack, name)
    for one in (found, *found.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    try:
        yield
    finally:
        stack.run("server", "start", name)


def primary(stack: Stack) -> str:
    """The server that takes writes; before any promotion `postgres-primary`."""
    return State.at(stack.folder).primary


def standby(stack: Stack) -> str:
    return State.at(stack.folder).standby


def promote_standby(stack: Stack) -> None:
    stack.run("server", "promote", standby(stack))


@contextmanager
def replay_paused(stack: Stack) -> Iterator[None]:
    """The standby takes what the primary sends and shows none of it."""
    name = standby(stack)
    tell(stack, name, "SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        tell(stack, name, "SELECT pg_wal_replay_resume()")


def tell(stack: Stack, name: str, sql: str, database: str = "postgres") -> object:
    """What that very server answers to its superuser; None for what answers nothing.  One that is
    just starting is waited for.
    """
    server = Postgres(State.at(stack.folder), name)
    end = time.monotonic() + START_S
    while not server.answers() and time.monotonic() < end:
        time.sleep(0.2)
    with closing(server.connect(database)) as db, db.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


@contextmanager
def another(stack: Stack, command: str, **addresses: str) -> Iterator[psutil.Process]:
    """One more process of the stack, such as `accounting consume`, ended with the block.  Any
    address may be another than the stack's own, to lead through a proxy.
    """
    env = stack.told() | addresses
    log = open(stack.folder / "logs" / f"another-{command.replace(' ', '-')}.log", "ab")  # noqa: SIM115
    with log, subprocess.Popen([EXCHANGE, *command.split()], env=env, stdout=log, stderr=log) as it:
        try:
            yield psutil.Process(it.pid)
        finally:
            it.terminate()
            it.wait(30)
