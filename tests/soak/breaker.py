"""What is broken, the chance that decides how, and the way back."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psutil
import redis

from common import stream
from common.stack.child import family
from common.stack.state import SERVERS, State
from tests.faults import faults
from tests.soak.world import Clocked

Block = Iterator[str]


class Breaker:
    """One stack and the chance that decides what happens to it."""

    def __init__(self, stack: Clocked, chance: random.Random) -> None:
        self.stack, self.chance = stack, chance

    def seconds(self, most: float) -> float:
        return round(self.chance.uniform(0.5, most), 1)

    def bus(self) -> redis.Redis:
        return stream.connect(self.stack.status()["bus"], timeout_s=2)

    def queue(self) -> redis.Redis:
        return stream.connect(self.stack.status()["queue"], timeout_s=2)

    def mend(self) -> None:
        """Everything of the stack is awake and meant to run."""
        state = State.at(self.stack.folder)
        supervisor = psutil.Process(self.stack.process.pid).children()
        for process in [*supervisor, *(each for group in family(state).values() for each in group)]:
            resume(process)
        for name in SERVERS:
            if state.stopped(name).exists():
                self.stack.run("server", "start", name)
        waited_for(lambda: not self.missing(), 60)
        faults.tell(self.stack, faults.standby(self.stack), "SELECT pg_wal_replay_resume()")

    def missing(self) -> list[str]:
        """What of the stack does not run."""
        status = self.stack.status()
        return [each["name"] for each in status["processes"] + status["servers"]
                if not each["alive"]]  # fmt: skip


def waited_for(ask: Callable[[], Any], seconds: float, pause_s: float = 0.5) -> Any:
    """The first true answer, or the last one."""
    end = time.monotonic() + seconds
    while not (found := ask()) and time.monotonic() < end:
        time.sleep(pause_s)
    return found


def resume(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.resume()
