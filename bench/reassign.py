"""All open tasks dealt anew: how long, beside raw UPDATEs, and what others notice of it."""

import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from bench import generate
from bench.figures import Figure, timed, wait_until
from bench.load import Latencies, Visitor, as_whom, at_rate, meanwhile
from bench.world import World, family
from common.db import Server, deadline
from tracker.models import DEALT_TO

RATE = 20.0
JOB_MB_MAX = 150
WORK = "reassign, every fee posted, standby caught up"
SEEN = ("/tasks", "/tasks?assignee=me", "/earnings", "/reassignments", "/payout-runs", "/users")


def measure(world: World) -> list[Figure]:
    """At each size, the largest once more with visitors."""
    sizes = [10_000, 100_000, 1_000_000] if world.is_full else [10_000, 30_000, 100_000]
    figures = []
    points = world.notes["reassign_s"] = {}
    for size in sizes:
        generate.tasks(world, size)
        world.settle()
        took = timed(lambda: reassign(world))
        raw = raw_update(world.db("tracker"), size)
        points[size] = {"reassign": took, "raw UPDATE": raw}
        figures.append(
            Figure(WORK, f"{size:,} tasks, {people(world):,} people", took, "s",
                   raw, "raw UPDATE", "≤ 3.5 ×" if size == sizes[-1] else "–",
                   took / raw <= 3.5 if size == sizes[-1] else None)
        )  # fmt: skip
    return figures + visited(world, sizes[-1])


def people(world: World) -> int:
    """How many are dealt to."""
    return world.db("tracker").value(f"SELECT count(*) FROM person WHERE {DEALT_TO}")


def reassign(world: World) -> None:
    """A reassignment was asked for, its every fee is in the ledger, and the standby shows it."""
    run_id = world.ann.post("/reassignments")["id"]
    state = "SELECT state FROM run WHERE id = %s"
    with deadline(60):
        wait_until(lambda: world.db("tracker").value(state, run_id) == "done", 900, 0.05)
        wait_until(lambda: world.has_said_all("tracker", "accounting"), 900, 0.05)
        world.catch_up()
        dealt = world.db("tracker").value("SELECT dealt FROM run WHERE id = %s", run_id)
        fees = "SELECT count(*) FROM transfer WHERE run_id = %s AND kind = 'deal_fee'"
        charged = world.db("accounting").value(fees, run_id)
    if dealt != charged:
        raise RuntimeError(f"{dealt:,} tasks were dealt and {charged:,} fees charged")


def raw_update(tracker: Server, size: int) -> float:
    """Seconds of the median of three UPDATEs of every row of a copy of `deal`, indexes too."""
    with deadline(900):
        tracker.run("CREATE TABLE raw (LIKE deal INCLUDING ALL)")
        tracker.run("INSERT INTO raw SELECT * FROM deal")
        tracker.run("VACUUM ANALYZE raw")
        sql = "UPDATE raw SET assignee_id = new_id(), run_id = new_id()"
        took = [timed(lambda: tracker.run(sql)) for _ in range(3)]
        tracker.run("DROP TABLE raw")
    return statistics.median(took)


def visited(world: World, size: int) -> list[Figure]:
    """The pages of those who have nothing to do with it, idle and during a run; and the job."""
    fay = Visitor(*as_whom(world.fay))
    pages = [(path, fay.opens(path)) for path in SEEN]
    seconds = 20 if world.is_full else 8
    world.settle()
    at_rate(RATE, pages, lambda begun: begun == 2 * len(pages))
    idle = at_rate(RATE, pages, lambda begun: begun == seconds * RATE)
    with meanwhile(RATE, pages) as during, watched(world) as job_mb:
        reassign(world)
    check(idle, during)
    world.notes["pages_during"] = {
        path: {"idle_p95_ms": idle.p95_ms(path), "during_p95_ms": during.p95_ms(path)}
        for path in SEEN
    }
    idle_ms, during_ms = idle.p95_ms(), during.p95_ms()
    most = max(3 * idle_ms, 60.0)
    tasks = f"{size:,} tasks, {RATE:g} pages/s"
    return [
        Figure("pages during it, p95", tasks, during_ms, "ms", idle_ms, "idle",
               "≤ max(3 × idle, 60 ms)", during_ms <= most),
        Figure("memory of its job, most", f"{size:,} tasks", max(job_mb), "MB",
               reach=f"< {JOB_MB_MAX}", is_met=max(job_mb) < JOB_MB_MAX),
    ]  # fmt: skip


def check(*loads: Latencies) -> None:
    for load in loads:
        if load.failures:
            raise RuntimeError(f"pages that did not answer 200: {sorted(set(load.failures))}")


@contextmanager
def watched(world: World) -> Iterator[list[float]]:
    """What the tracker's worker and its job had resident, in MB, every half second."""
    found, is_over = [0.0], threading.Event()
    rows = world.stack.status()["processes"]
    worker = next(row["pid"] for row in rows if row["name"] == "tracker-work")

    def watch() -> None:
        while not is_over.wait(0.5):
            for each in family({worker}):
                with suppress(psutil.NoSuchProcess):
                    found.append(each.memory_info().rss / 2**20)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()
