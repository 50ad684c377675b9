"""Upgrading and stopping processes while people work."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from bench.stack import Browser, Stack
from common.migrate import migrate
from tests.faults.faults import back, killed
from tests.faults.history import History, Truth, differences, load
from tests.faults.hosts import all_answer, beside

ROOT = Path(__file__).parents[2]
EXPAND = """
def up(migrator, db):
    db.execute_sql("ALTER TABLE task ADD COLUMN note text")
"""
WEBS = ["tracker-web", "accounting-web", "analytics-web", "mailer-web", "gateway-web"]


def pids(stack: Stack) -> dict[str, int]:
    return {each["name"]: each["pid"] for each in stack.status()["processes"]}


def children(pid: int) -> set[str]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return set(file.read().split())


def test_webs_are_reloaded_without_a_failed_request(
    stack: Stack, history: History, truth: Truth, eventually: Callable
) -> None:
    masters = pids(stack)
    workers = {name: children(masters[name]) for name in WEBS}

    with load(stack, history, "reload") as work:
        work.wait_for(20)
        for name in WEBS:
            os.kill(masters[name], signal.SIGHUP)
            eventually(lambda name=name: not workers[name] & children(masters[name]))
            work.wait_for(10)

    assert (history.count("failed"), history.count("unknown")) == (0, 0)
    assert pids(stack) == masters
    eventually(truth.is_quiet)
    assert differences(history, truth) == []


def test_processes_end_after_the_batch_in_hand(
    stack: Stack, history: History, truth: Truth, ann: Browser, eventually: Callable
) -> None:
    kinds = ("tracker relay", "accounting consume", "tracker work", "accounting work")
    with load(stack, history, "drain") as work:
        for _ in range(2):
            with beside(stack, *kinds) as processes:
                eventually(lambda processes=processes: all_answer(processes))
                work.wait_for(30)
                began = time.monotonic()
                codes = {name: process.stop() for name, process in processes.items()}
                took_s = time.monotonic() - began
            assert set(codes.values()) == {0}
            assert took_s < 15

    assert (history.count("failed"), history.count("unknown")) == (0, 0)
    eventually(truth.is_quiet)
    assert differences(history, truth) == []


def test_a_worker_told_to_end_leaves_its_run_to_another(
    stack: Stack, truth: Truth, ann: Browser, eventually: Callable
) -> None:
    rows = "title\n" + "".join(f"Of many, number {n}\n" for n in range(30_000))
    ann.upload("/tasks/import", "file", rows.encode())
    asked = ann.post("/reassignments")["id"]

    def run() -> dict:
        return ann.get(f"/reassignments/{asked}")

    eventually(lambda: run()["done"])
    os.kill(pids(stack)["tracker-work"], signal.SIGTERM)

    done = eventually(lambda: run()["state"] == "done" and run(), 60)
    eventually(truth.is_quiet, 60)
    dealt = truth.accounting.value(
        "SELECT count(*) FROM report_transfers WHERE kind = 'deal_fee' AND run_id = %s", asked
    )
    assert (done["done"], done["dealt"]) == (done["total"], dealt)


def test_the_release_before_serves_on_a_database_that_was_expanded(
    stack: Stack, history: History, truth: Truth, tmp_path: Path, eventually: Callable
) -> None:
    migrations = shutil.copytree(ROOT / "tracker" / "migrations", tmp_path / "migrations")
    (migrations / "9001_expand_notes.py").write_text(EXPAND)

    with load(stack, history, "expand") as work:
        work.wait_for(20)
        assert migrate(truth.tracker, migrations) == ["9001_expand_notes"]
        work.wait_for(20)
        killed(stack, "tracker-web")
        killed(stack, "tracker-consume")
        eventually(lambda: back(stack, "tracker-web") and back(stack, "tracker-consume"))
        work.wait_for(20)

    eventually(truth.is_quiet, 60)
    truth.tracker.execute_sql("ALTER TABLE task DROP COLUMN note")
    truth.tracker.run("DELETE FROM schema_migration WHERE name LIKE '9001%%'")
    assert history.count("failed") == 0
    assert differences(history, truth) == []
    log = (stack.folder / "logs" / "tracker-consume.log").read_text()
    assert "which this one can live with" in log
