"""What goes on while a server is away, hung or late."""

import time
import urllib.error
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.stack import Browser, Stack
from tests.faults.faults import dead, frozen, primary, replay_paused, standby, stopped, tell
from tests.faults.history import History, Truth, agree, load
from tests.faults.readers import Look, p99_s, read_everything, unserved
from tests.promises import Figure

THREADS = 8  # of each web process, as the stack sets them

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
BUSY_SINCE = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND state <> 'idle' AND xact_start < to_timestamp({})
"""

NOISE = """
    SELECT pg_logical_emit_message(false, 'noise', repeat('x', 10000000))
    FROM generate_series(1, 20)
"""
KEPT = "SELECT wal_status FROM pg_replication_slots"


def refusal(ask: Callable[[], object]) -> tuple[urllib.error.HTTPError, float]:
    """The refusal, and after how many seconds it came."""
    began = time.monotonic()
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask()
    return refused.value, time.monotonic() - began


def refused_writes(ann: Browser) -> list[float]:
    """Seconds each POST took to be refused in a sentence, as JSON and as a page."""
    error, json_s = refusal(lambda: ann.post("/tasks", {"title": "Buy two", "description": ""}))
    shown, page_s = refusal(lambda: ann.post("/tasks", {"title": "Buy two"}, accept="text/html"))
    assert (error.code, shown.code) == (503, 503)
    assert error.headers["Retry-After"]
    assert "try again" in error.read().decode()
    assert "try again" in shown.read().decode()
    return [json_s, page_s]


def check(looks: list[Look], refused: list[float], figure: Figure) -> None:
    assert unserved(looks) == []
    assert p99_s(looks) < 3
    assert max(refused) < 5
    figure("pages", len(looks))
    figure("p99 of a page", p99_s(looks), "s")
    figure("POST refused within", max(refused), "s")


@pytest.mark.promise(16)
def test_every_reading_page_works_without_the_primary(
    stack: Stack, people: dict[str, Browser], eventually: Callable, figure: Figure
) -> None:
    ann, bob = people["ann"], people["bob"]
    task = ann.post("/tasks", {"title": "Buy a lamp", "description": ""})
    eventually(lambda: bob.get(f"/tasks/{task['id']}")["fee_cents"])

    with dead(stack, primary(stack)):
        looks = read_everything(people, times=4)
        refused = refused_writes(ann)

    check(looks, refused, figure)
    eventually(lambda: ann.post("/tasks", {"title": "Buy three", "description": ""}))
    shown = [t["title"] for t in ann.get("/tasks?q=buy")["tasks"]]
    assert shown[:2] == ["Buy three", "Buy a lamp"]


@pytest.mark.promise(17)
def test_every_reading_page_works_beside_a_hung_primary_and_no_thread_stays_stuck(
    stack: Stack,
    people: dict[str, Browser],
    history: History,
    truth: Truth,
    eventually: Callable,
    figure: Figure,
) -> None:
    with load(stack, history, "primary hung") as clients:
        clients.wait_for(20)
        with frozen(stack, primary(stack)):
            looks = read_everything(people, times=4)
            refused = refused_writes(people["ann"])
        thawed, thawed_at = time.monotonic(), time.time()
        clients.wait_for(1, within_s=10)
        figure("writing again after", time.monotonic() - thawed, "s")
        clients.wait_for(20, within_s=10)

    check(looks, [*refused, history.slowest_s], figure)
    with ThreadPoolExecutor(THREADS) as crowd, truth.tracker.atomic():
        truth.tracker.execute_sql("LOCK TABLE task IN EXCLUSIVE MODE")
        adds = [crowd.submit(history.add, people["ann"], f"crowd {n}") for n in range(THREADS)]
        eventually(lambda: tell(stack, primary(stack), WAITING) == THREADS, 3)
        truth.tracker.execute_sql("ROLLBACK")
    assert all(add.result() for add in adds)
    assert tell(stack, primary(stack), BUSY_SINCE.format(thawed_at)) == 0
    agree(history, truth, eventually, thawed, 60)


@pytest.mark.promise(18)
def test_a_standby_dead_under_load_stops_nothing(
    stack: Stack,
    people: dict[str, Browser],
    history: History,
    truth: Truth,
    eventually: Callable,
    figure: Figure,
) -> None:
    with load(stack, history, "standby dead") as clients:
        clients.wait_for(20)
        with dead(stack, standby(stack)):
            clients.wait_for(20)
            looks = read_everything(people, times=4)
            latest = people["ann"].get("/tasks")
            page = people["ann"].open("/tasks", accept="text/html").decode()
    back = time.monotonic()

    assert unserved(looks) == []
    assert p99_s(looks) < 3
    assert history.count("ok") == len(history.added) + len(history.completed)
    assert latest["lag_s"] == 0
    assert 'As of <time datetime="' in page
    eventually(lambda: stack.status()["databases"]["tracker"]["lag_s"] == 0)
    figure("p99 of a page", p99_s(looks), "s")
    agree(history, truth, eventually, back, 60)


@pytest.mark.promise(18)
def test_the_log_kept_for_a_dead_standby_is_bounded(
    stack: Stack, truth: Truth, ann: Browser, eventually: Callable, figure: Figure
) -> None:
    leader, follower = primary(stack), standby(stack)
    assert tell(stack, leader, "SHOW max_slot_wal_keep_size") == "2GB"

    with stopped(stack, follower):
        tell(stack, leader, "ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'")
        tell(stack, leader, "SELECT pg_reload_conf()")
        tell(stack, leader, NOISE)
        tell(stack, leader, "CHECKPOINT")
        kept = tell(stack, leader, KEPT)
        tell(stack, leader, "ALTER SYSTEM RESET max_slot_wal_keep_size")
        tell(stack, leader, "SELECT pg_reload_conf()")

    assert kept == "lost"
    task = ann.post("/tasks", {"title": "After the copy", "description": ""})
    found = "SELECT title FROM task WHERE id = '{id}'".format_map(task)
    eventually(lambda: tell(stack, follower, found, "tracker") == "After the copy")


@pytest.mark.promise(19)
def test_one_sees_what_one_wrote_however_late_the_standby_is(
    stack: Stack, ann: Browser, bob: Browser, eventually: Callable
) -> None:
    early = ann.post("/tasks", {"title": "Wash the car", "description": ""})
    eventually(lambda: bob.get(f"/tasks/{early['id']}"))

    with replay_paused(stack):
        added = ann.post("/tasks", {"title": "Wash the van", "description": ""})
        done = bob.post(f"/tasks/{early['id']}/completion")
        listed = ann.get("/tasks?q=wash")["tasks"]
        finished = bob.get("/tasks?q=wash&status=done")["tasks"]
        with dead(stack, primary(stack)):
            facts = ann.get("/tasks?q=wash")
            page = ann.open("/tasks?q=wash", accept="text/html").decode()

    assert [listed[0]["id"], finished[0]["id"]] == [added["id"], done["id"]]
    assert facts["tasks"][0]["id"] == early["id"]
    assert facts["lag_s"] > 0
    assert "A database is away" in page
    assert "may be old" in page


@pytest.mark.promise(15)
def test_work_goes_on_without_the_bus_and_is_credited_later(
    stack: Stack, people: dict[str, Browser], eventually: Callable
) -> None:
    ann, bob = people["ann"], people["bob"]
    # For seconds the gateway believes that a primary which was away just now still is.
    eventually(lambda: ann.post("/tasks", {"title": "Buy paint", "description": ""}))
    with stopped(stack, "valkey"):
        before = eventually(lambda: settled(bob))
        assert unserved(read_everything(people)) == []
        task = ann.post("/tasks", {"title": "Paint the door", "description": ""})
        assert task["assignee"]["name"] == "Bob"
        done = bob.post(f"/tasks/{task['id']}/completion")
        asked = ann.post("/reassignments")
        assert bob.get("/earnings")["balance_cents"] == before["balance_cents"]

    eventually(lambda: bob.get(f"/tasks/{task['id']}")["reward_cents"])
    eventually(lambda: ann.get(f"/reassignments/{asked['id']}")["state"] == "done")
    assert done["status"] == "done"
    eventually(lambda: newest_reward(bob)["task"] == {"id": task["id"], "title": "Paint the door"})


def newest_reward(bob: Browser) -> dict:
    return (bob.get("/earnings?kind=completion_reward")["transfers"] or [{"task": None}])[0]


def settled(bob: Browser) -> dict | None:
    """His earnings, once what was read from the bus before it went away is in them."""
    first = bob.get("/earnings")
    time.sleep(0.5)
    again = bob.get("/earnings")
    return again if again["balance_cents"] == first["balance_cents"] else None
