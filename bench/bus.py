"""Facts on their way: outbox to stream, stream to committed transfers, on servers alone."""

import shutil
import tempfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import redis

from bench.figures import Figure, timed
from bench.world import copy, service
from common import clock, stream
from common.config import Config
from common.db import Server, deadline
from common.events import TaskCompleted
from common.service import Service
from common.stack.servers import Servers

RAW = "events:raw"
BATCH = 500


def measure(is_full: bool) -> list[Figure]:
    """One relay and one accounting consumer on single facts; beside them the same entries written
    and read with nothing done, and the same transfers copied in.
    """
    folder = tempfile.mkdtemp(prefix="exchange-bench-")
    try:
        with Servers(folder) as env:
            return consuming(Config(env), 100_000 if is_full else 20_000)
    finally:
        for name in ("tracker", "accounting"):
            service(name).store.close()  # type: ignore[union-attr]
        shutil.rmtree(folder, ignore_errors=True)


def consuming(settings: Config, count: int) -> list[Figure]:
    tracker, accounting = service("tracker"), service("accounting")
    for one in (tracker, accounting):
        one.open(settings).migrate()
    say_completions(tracker, count)
    published = timed(tracker.relay(settings).drain)
    consumer = accounting.consumer(settings)
    with deadline(60):
        posted = timed(consumer.drain)
        assert accounting.primary().value("SELECT count(*) FROM transfer") == count
        copied = raw_copy(accounting.primary())
    bus = stream.connect(settings.bus_url)
    texts = texts_of(bus, count)
    added = timed(lambda: raw_add(bus, texts))
    read = timed(lambda: raw_read(bus))
    size = f"{count:,} events"
    return [
        Figure("relay, outbox to stream", size, count / published, "events/s",
               count / added, "raw XADD"),
        Figure("accounting consumer, single facts", size, count / posted, "events/s",
               count / read, "raw XREADGROUP + XACK", "≥ 6,000", count / posted >= 6000),
        Figure("the same transfers by COPY", size, count / copied, "rows/s"),
    ]  # fmt: skip


def say_completions(tracker: Service, count: int) -> None:
    from tracker.models import outbox

    now = clock.now()
    workers = [uuid4() for _ in range(100)]
    with tracker.primary().atomic():
        outbox.add_all(
            TaskCompleted(
                task_id=uuid4(), assignee_id=workers[n % 100], completed_at=now - timedelta(0, n)
            )
            for n in range(count)
        )


def texts_of(bus: redis.Redis, count: int) -> list[str]:
    """What the tracker said, as it is on its stream."""
    name = stream.name_of("tracker")
    found: Any = bus.xrange(name, count=count)
    return [entry.text for entry in stream.entries(name, found)]


def raw_add(bus: redis.Redis, texts: list[str]) -> None:
    for start in range(0, len(texts), 1000):
        stream.publish(bus, RAW, texts[start : start + 1000])


def raw_read(bus: redis.Redis) -> None:
    stream.ensure_groups(bus, [RAW], "raw")
    while found := stream.read(bus, "raw", "raw", [RAW], BATCH, own=False):
        stream.ack(bus, "raw", found)


def raw_copy(db: Server) -> float:
    """Seconds that COPY takes to put the same rows into an equal table, keys and indexes too."""
    with tempfile.TemporaryFile() as file:
        copy(db, "COPY transfer TO STDOUT", file)
        db.execute_sql("CREATE TABLE raw (LIKE transfer INCLUDING ALL)")
        file.seek(0)
        return timed(lambda: copy(db, "COPY raw FROM STDIN", file))
