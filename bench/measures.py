"""What is measured.  Every figure is followed by its limit, measured in the same run."""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psutil

from bench.stack import Browser, Stack
from common import clock, stream
from common.config import Config
from common.db import Server, deadline
from common.events import TaskCompleted
from common.service import Service, services
from common.stack.servers import Servers
from common.stack.state import load_env

BACKLOG = Path(__file__).parent / "data" / "backlog.csv"


@dataclass(frozen=True)
class Figure:
    """One row of the table; `is_met` None where there is nothing to reach."""

    work: str
    size: str
    value: float
    unit: str
    reach: str
    is_met: bool | None = None


def timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def wait_until(is_so: Callable[[], bool], limit_s: float = 300, pause_s: float = 0.02) -> None:
    end = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError("what was waited for did not happen")
        time.sleep(pause_s)


def service(name: str) -> Service:
    return next(one for one in services() if one.name == name)


def consumer(count: int) -> list[Figure]:
    """One accounting consumer alone on `count` completions, stream to committed transfers; and the
    same entries read and acknowledged with nothing done.
    """
    folder = tempfile.mkdtemp(prefix="exchange-bench-")
    with Servers(folder) as env:
        settings = Config(env)
        for name in ("tracker", "accounting"):
            service(name).open(settings).migrate()
        tracker, accounting = service("tracker"), service("accounting")
        say_completions(tracker, count)
        published = timed(tracker.relay(settings).drain)
        posting = accounting.consumer(settings)
        posted = timed(posting.drain)
        assert accounting.primary().value("SELECT count(*) FROM transfer") == count
        read = timed(lambda: read_all(settings, posting.streams[1]))
        for one in (tracker, accounting):
            one.store.close()  # type: ignore[union-attr]
    shutil.rmtree(folder)
    rate = count / posted
    return [
        Figure("relay, outbox to stream", f"{count:,} events", count / published, "events/s", "–"),
        Figure(
            "accounting consumer, single facts",
            f"{count:,} events",
            rate,
            "events/s",
            "≥ 6,000",
            rate >= 6000,
        ),
        Figure("raw XREADGROUP and XACK", f"{count:,} entries", count / read, "entries/s", "–"),
    ]


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


def read_all(settings: Config, name: str) -> None:
    bus = stream.connect(settings.bus_url)
    stream.ensure_groups(bus, [name], "raw")
    while entries := stream.read(bus, "raw", "raw", [name], 500, own=False):
        stream.ack(bus, "raw", entries)


def ready(stack: Stack) -> list[Figure]:
    """From `exchange up` to a gateway that is ready: first start, and one with data there."""
    first = stack.start()
    stack.stop()
    again = stack.start()
    return [
        Figure("stack ready, first start", "migrations too", first, "s", "–"),
        Figure("stack ready", "later start", again, "s", "≤ 10", again <= 10),
    ]


def company(stack: Stack, workers: int = 12) -> Browser:
    """People the tracker knows of, and a manager signed in."""
    stack.add_user("ann@example.com", "manager")
    for number in range(workers):
        stack.add_user(f"worker{number}@example.com", "worker")
    return Browser(stack.url, "ann@example.com")


def importing(ann: Browser) -> list[Figure]:
    """The backlog through the form."""
    began = time.monotonic()
    report = ann.upload("/tasks/import", "file", BACKLOG.read_bytes())
    took = time.monotonic() - began
    count = report["added"] + len(report["refused"])
    return [Figure("import through the form", f"{count:,} rows", took, "s", "≤ 5", took <= 5)]


def reassigning(stack: Stack, ann: Browser, size: int) -> list[Figure]:
    """`size` open tasks dealt anew, every fee in the ledger, the standby caught up; beside raw
    UPDATEs of as many rows.
    """
    settings = Config(load_env(stack.folder))
    tracker = service("tracker").open(settings).primary()
    accounting = service("accounting").open(settings).primary()
    grow(stack, tracker, accounting, size)
    began = time.monotonic()
    run_id = ann.post("/reassignments")["id"]
    fees = "SELECT count(*) FROM transfer WHERE run_id = %s"
    with deadline(60):
        wait_until(lambda: accounting.value(fees, run_id) == size)
        lsn = accounting.value("SELECT pg_current_wal_lsn()")
        replica = service("accounting").store.replica  # type: ignore[union-attr]
        wait_until(lambda: replica.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn))
    took = time.monotonic() - began
    assert ann.get(f"/reassignments/{run_id}")["dealt"] == size
    raw = raw_update(tracker, size)
    reach_s = 8 * size / 100_000
    ratio = took / raw
    return [
        Figure("reassign, all fees posted", f"{size:,} tasks", took, "s", f"≤ {reach_s:g}",
               took <= reach_s),
        Figure("raw UPDATE of as many rows", f"{size:,} rows", raw, "s", "–"),
        Figure("reassign ÷ raw UPDATE", f"{size:,}", ratio, "×", "≤ 3.5", ratio <= 3.5),
    ]  # fmt: skip


def grow(stack: Stack, tracker: Server, accounting: Server, size: int) -> None:
    """There are `size` open tasks and accounting has heard of them all."""
    lines = BACKLOG.read_text().splitlines(keepends=True)
    while (missing := size - tracker.value("SELECT count(*) FROM deal")) > 0:
        path = stack.folder / "grow.csv"
        path.write_text(lines[0] + "".join(lines[1 : missing + 1]))
        stack.run("import", str(path))
    wait_until(lambda: accounting.value("SELECT count(*) FROM price") == size, pause_s=0.2)


def raw_update(tracker: Server, size: int) -> float:
    """Seconds of the median of three UPDATEs of every row of a copy of `deal`, indexes too."""
    with deadline(600):
        tracker.run("CREATE TABLE raw (LIKE deal INCLUDING ALL)")
        tracker.run("INSERT INTO raw SELECT * FROM deal")
        tracker.run("VACUUM ANALYZE raw")
        sql = "UPDATE raw SET assignee_id = new_id(), run_id = new_id()"
        took = [timed(lambda: tracker.run(sql)) for _ in range(3)]
        tracker.run("DROP TABLE raw")
    return statistics.median(took)


def memory(stack: Stack) -> list[Figure]:
    """Proportional set size of the whole stack, servers included."""
    status = stack.status()
    pids = {row["pid"] for row in status["processes"] + status["servers"]} | {stack.process.pid}
    family = {
        child.pid: child
        for pid in pids
        if psutil.pid_exists(pid)
        for child in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    }
    total = 0
    for process in family.values():
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    mb = total / 2**20
    return [Figure("memory of the stack (PSS)", f"{len(family)} processes", mb, "MB", "≤ 900",
                   mb <= 900)]  # fmt: skip
