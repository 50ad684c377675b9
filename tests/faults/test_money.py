"""Tasks are dealt once a run and workers paid once a day, whoever is killed half way."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import psutil
import pytest
import redis

from bench.stack import Browser, Stack
from common import clock
from common.config import Config
from common.db import Row, Server, deadline
from common.stack.servers import Servers
from tests.faults.company import Hold, add_tasks, finish_tasks, pass_days, staff, waiting, wake
from tests.faults.faults import another, back, frozen, process
from tests.faults.history import Truth
from tests.promises import Figure

WORKERS = 3000
TASKS = 20_000

TASK_AT = """
    SELECT task_id FROM deal WHERE task_id = (
        SELECT task_id FROM deal ORDER BY task_id OFFSET %s LIMIT 1)
"""
TOTAL_AT = """
    SELECT day FROM total WHERE (worker_id, day) = (
        SELECT worker_id, day FROM total JOIN business_day USING (day)
        WHERE state = 'open' ORDER BY worker_id OFFSET %s LIMIT 1)
"""
DEALS = "SELECT count(*) FROM deal WHERE run_id = %s"
RUN = "SELECT * FROM run WHERE id = %s"
FEES = """
    SELECT count(*) AS fees, count(DISTINCT task_id) AS tasks FROM transfer
    WHERE kind = 'deal_fee' AND run_id = %s
"""
OWED = "SELECT worker_id, balance_cents FROM report_balances WHERE balance_cents > 0"
PAID = "SELECT id, worker_id, amount_cents FROM transfer WHERE kind = 'payout' AND day = %s"
TOLD = """
    SELECT envelope::json->'data'->>'payout_id' AS id FROM outbox WHERE type = 'payout.made'
    AND envelope::json->'data'->>'payout_run_id' = %s
"""
DAYS = """
    SELECT day, business_day.state, payout_run.state AS payouts
    FROM business_day LEFT JOIN payout_run USING (day) WHERE day >= %s ORDER BY day
"""
MOVED = "SELECT kind, count(*), sum(amount_cents) FROM transfer GROUP BY kind ORDER BY kind"
YESTERDAY = timedelta(days=1)


@pytest.fixture(scope="module")
def workers(stack: Stack, eventually: Callable) -> Iterator[None]:
    """Three thousand of them."""
    truth = Truth(stack)
    with staff(truth, WORKERS, eventually):
        yield
    truth.close()


def job_of(worker: psutil.Process) -> psutil.Process | None:
    """The process in which the worker runs its job."""
    return next(iter(worker.children()), None)


def kill_thrice(
    stack: Stack, service: str, holds: list[Hold], eventually: Callable[..., Any]
) -> Iterator[str]:
    """Each time the service's job has come as far as one of the holds, the job is killed, the
    second time its worker; yields which it was.
    """
    with ExitStack() as held:
        for hold in holds:
            held.enter_context(hold)
        for part in ("job", "worker", "job"):
            eventually(lambda: back(stack, f"{service}-work"))
            worker = process(stack, f"{service}-work")
            wake(stack, service)
            hold = eventually(lambda: next(filter(Hold.waiting, holds), None), 60)
            job = eventually(lambda parent=worker: job_of(parent))
            (job if part == "job" else worker).kill()
            holds.remove(hold)
            hold.let_go()
            yield part


@pytest.mark.promise(29)
def test_a_reassignment_killed_thrice_deals_each_task_once(
    stack: Stack, truth: Truth, workers: None, ann: Browser, eventually: Callable, figure: Figure
) -> None:
    add_tasks(stack, "Dealt anew", TASKS)
    eventually(truth.is_quiet, 60)
    holds = [Hold(truth.tracker, TASK_AT, rank) for rank in (7_500, 12_500, 17_500)]

    run = ann.post("/reassignments")
    passed = [
        truth.tracker.rows(RUN, run["id"])[0]["done"]
        for _ in kill_thrice(stack, "tracker", holds, eventually)
    ]
    killed = time.monotonic()
    eventually(lambda: ann.get(f"/reassignments/{run['id']}")["state"] == "done", 60)
    finished_s = time.monotonic() - killed
    eventually(truth.is_quiet, 60)

    [row] = truth.tracker.rows(RUN, run["id"])
    fees = truth.accounting.row(FEES, run["id"])
    check = stack.run("reassignments", "check", run["id"])
    assert passed == sorted(set(passed))
    assert 0 < passed[0] < passed[-1] < row["total"]
    assert row["total"] == row["done"] == row["dealt"] >= TASKS
    assert truth.tracker.value(DEALS, run["id"]) == row["dealt"]
    assert fees == {"fees": row["dealt"], "tasks": row["dealt"]}
    assert check.startswith(f"{row['dealt']:,} of {row['dealt']:,} deals agree.\n")
    figure("done after the last kill", finished_s, "s")
    finish_tasks(truth, "Dealt anew")


@pytest.fixture
def owed(
    stack: Stack, truth: Truth, workers: None, request: Any, eventually: Callable
) -> dict[Any, int]:
    """`{worker_id: cents}` of everybody whom the end of this day will find with a balance."""
    add_tasks(stack, request.node.name, 2 * WORKERS)
    eventually(truth.is_quiet, 60)
    finish_tasks(truth, request.node.name)
    eventually(truth.is_quiet, 120)
    return {row["worker_id"]: row["balance_cents"] for row in truth.accounting.rows(OWED)}


def paid_once(truth: Truth, owed: dict[Any, int], eventually: Callable) -> Row:
    """The payout run of yesterday, once it is done: everybody owed was paid it, once, and told
    once.
    """
    day = clock.now().date() - YESTERDAY
    is_done = "SELECT * FROM payout_run WHERE day = %s AND state = 'done'"
    run = eventually(lambda: truth.accounting.row(is_done, day), 90)
    eventually(truth.is_quiet, 60)
    with deadline(60):
        paid = truth.accounting.rows(PAID, day)
        told = truth.accounting.rows(TOLD, str(run["id"]))
    assert len(paid) == len(owed) > WORKERS / 2
    assert {row["worker_id"]: row["amount_cents"] for row in paid} == owed
    assert Counter(row["id"] for row in told) == Counter(str(row["id"]) for row in paid)
    assert (run["done"], run["paid_cents"]) == (run["total"], sum(owed.values()))
    return run


@pytest.mark.promise(23)
def test_what_is_said_again_moves_no_money(
    stack: Stack, truth: Truth, eventually: Callable, figure: Figure
) -> None:
    began = clock.now().isoformat()
    add_tasks(stack, "Said again", 500)
    eventually(truth.is_quiet, 60)
    finish_tasks(truth, "Said again")
    eventually(truth.is_quiet, 60)
    before = truth.accounting.rows(MOVED)

    # Without what it remembers of events, only the keys of transfers stand between.
    truth.accounting.run("DELETE FROM inbox")
    said = stack.run("events", "republish", "--since", began, "--service", "tracker")
    eventually(truth.is_quiet, 60)

    assert truth.accounting.rows(MOVED) == before
    assert truth.accounting.value("SELECT count(*) FROM dead_letter") == 0
    assert stack.run("ledger", "verify", "--wait", "30").startswith("Balances, totals, deals")
    figure("events said again", int(said.split()[1]))


@pytest.mark.promise(25)
def test_each_worker_is_paid_once_a_day_whoever_is_killed(
    stack: Stack, truth: Truth, owed: dict[Any, int], eventually: Callable, figure: Figure
) -> None:
    with another(stack, "schedule"):
        with frozen(stack, "accounting-work"):
            pass_days(truth.accounting, 1)
            holds = [Hold(truth.accounting, TOTAL_AT, rank) for rank in (700, 1_500, 2_300)]
        kills = list(kill_thrice(stack, "accounting", holds, eventually))
        killed = clock.now()
        wake(stack, "accounting")
        run = paid_once(truth, owed, eventually)

    assert kills == ["job", "worker", "job"]
    figure("workers paid", len(owed))
    figure("paid after the last kill", (run["finished_at"] - killed).total_seconds(), "s")


@pytest.mark.promise(28)
def test_a_job_that_outlives_its_worker_does_no_harm(
    stack: Stack, truth: Truth, owed: dict[Any, int], eventually: Callable
) -> None:
    with ExitStack() as asleep:
        asleep.enter_context(frozen(stack, "accounting-work"))
        pass_days(truth.accounting, 1)
        hold = asleep.enter_context(Hold(truth.accounting, TOTAL_AT, 1_500))
        with another(stack, "accounting work") as worker:
            for _ in ("the orphan to be", "the other"):
                wake(stack, "accounting")
            [backend] = eventually(hold.waiting, 60)
            orphan = job_of(worker)
            assert orphan
            worker.kill()
            # Only then: a stopped job that loses its parent is ended by the kernel.  The parent is
            # a zombie as soon as its first thread has ended, but still the parent.
            eventually(lambda: orphan.ppid() != worker.pid)
            # Half way, but not at a lock, for which it would wait four seconds and no longer.
            orphan.suspend()
            hold.let_go()
            try:
                asleep.close()
                eventually(lambda: waiting(truth.accounting, backend), 60)
            finally:
                orphan.resume()

            paid_once(truth, owed, eventually)
            eventually(lambda: not orphan.is_running())


def closed(accounting: Server, since: int) -> Callable[[], bool]:
    """Whether every day from `since` days ago to yesterday is closed and paid, and today open."""
    today = clock.now().date()
    days = [today - timedelta(days=back) for back in range(since, -1, -1)]

    def look() -> bool:
        rows = accounting.rows(DAYS, days[0])
        passed = [(day, "closed", "done") for day in days[:-1]]
        return [tuple(row.values()) for row in rows] == [*passed, (today, "open", None)]

    return look


@pytest.mark.promise(26)
def test_three_days_down_are_closed_one_by_one(
    stack: Stack, bob: Browser, eventually: Callable, figure: Figure
) -> None:
    stack.stop()
    with Servers(stack.folder) as env:
        accounting = Server(None)
        accounting.open(Config(env).database_url("accounting"))
        pass_days(accounting, 3)
        accounting.close_quietly()

    stack.start()
    began = time.monotonic()
    truth = Truth(stack)
    eventually(closed(truth.accounting, 3), 120)

    figure("three missed days closed after", time.monotonic() - began, "s")
    truth.close()


@pytest.mark.promise(26)
def test_a_schedule_lost_from_redis_is_made_again(
    stack: Stack, truth: Truth, eventually: Callable, figure: Figure
) -> None:
    with redis.Redis.from_url(stack.status()["queue"]) as queue:
        queue.flushdb()
    pass_days(truth.accounting, 1)
    ended = time.monotonic()

    eventually(closed(truth.accounting, 1), 120)

    figure("day closed after", time.monotonic() - ended, "s")
