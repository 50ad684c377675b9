"""One producer and one consumer on real servers, and what the consumer did."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import redis

from common import stream
from common.config import Config
from common.consume import Consumer
from common.db import Server
from common.events import TaskCompleted
from common.loop import Stop
from common.outbox import Outbox
from common.relay import Relay
from common.service import services

STREAM, GROUP = "events:tests", "listener"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
TASK, WORKER = (UUID(f"01900000-0000-7000-8000-{n:012d}") for n in (50, 51))
COMPLETED = TaskCompleted(task_id=TASK, assignee_id=WORKER, completed_at=NOON)


class Wire:
    """A relay for what is said here, and a consumer that remembers what it heard."""

    def __init__(self, settings: Config) -> None:
        self.primary: Server = next(s for s in services() if s.name == "tracker").primary()
        self.bus: redis.Redis = stream.connect(settings.bus_url)
        self.outbox = Outbox(self.primary, "tests")
        self.relay = Relay("tests", self.primary, stream.connect(settings.bus_url), [GROUP])
        self.effects: list[Any] = []
        self.consumer = self.make_consumer(settings, self.effects.extend)

    def make_consumer(self, settings: Config, handler: Callable[[Any], None]) -> Consumer:
        bus = stream.connect(settings.bus_url)
        return Consumer(GROUP, self.primary, bus, {TaskCompleted: handler}, ("tests",))

    def say(self, *events: TaskCompleted) -> None:
        with self.primary.atomic():
            self.outbox.add(*events)

    def keep(self, events: Sequence[TaskCompleted]) -> None:
        """A handler whose effects are rows, rolled back with the rest."""
        ids = [str(event.task_id) for event in events]
        self.primary.run("INSERT INTO heard SELECT unnest(%s::uuid[])", ids)

    def heard(self) -> list[int]:
        """The numbers of the facts kept, each as often as it had its effect."""
        rows = self.primary.rows("SELECT task_id FROM heard ORDER BY task_id")
        return [row["task_id"].int for row in rows]

    def pending(self) -> int:
        return self.bus.xpending(STREAM, GROUP)["pending"]

    def dead_letters(self) -> list[dict[str, Any]]:
        return self.primary.rows("SELECT * FROM dead_letter")


def fact(number: int) -> TaskCompleted:
    return TaskCompleted(task_id=UUID(int=number), assignee_id=WORKER, completed_at=NOON)


@contextmanager
def running(*loops: Any) -> Iterator[None]:
    """Relays and consumers at work, each in a thread."""
    stop = Stop()

    def work(loop: Any) -> None:
        try:
            loop.run(stop)
        finally:
            loop.primary.close_quietly()

    threads = [threading.Thread(target=work, args=(loop,)) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def eventually(is_so: Callable[[], Any], within_s: float = 10) -> float:
    """Seconds until it was so."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < within_s, f"not within {within_s} s"
        time.sleep(0.01)
    return time.monotonic() - began
