"""Many small changes at once: tasks added and completed, each followed to its reward."""

import threading
import time
from typing import Any
from uuid import UUID

from bench.figures import Figure, timed, wait_until
from bench.load import Latencies, at_rate, percentile
from bench.stack import Browser
from bench.world import CLIENTS, WORKERS, World, at_once, service
from common import chance, clock
from common.config import Config
from common.db import deadline

CLICKS_PER_S = 5.0
LOOK_S = 0.003
REWARDS = "SELECT count(*) FROM transfer WHERE kind = 'completion_reward'"
PAID = "SELECT task_id FROM transfer WHERE kind = 'completion_reward' AND task_id = ANY(%s::uuid[])"


def measure(world: World) -> list[Figure]:
    return [*crediting(world, 6000 if world.is_full else 2000),
            *clicking(world, 300 if world.is_full else 100)]  # fmt: skip


def add_and_complete(number: int, env: dict[str, str], by: UUID, count: int) -> None:
    """What the two buttons do, `count` times."""
    from tracker import actions
    from tracker.domain import Draft
    from tracker.models import primary

    service("tracker").open(Config(env))
    for task in range(count):
        draft = Draft(f"Task {task} of client {number}")
        task_id = actions.add_task(draft, by=by, now=clock.now(), seed=chance.new_seed())
        holder = primary.value("SELECT assignee_id FROM deal WHERE task_id = %s", task_id)
        actions.complete_task(task_id, by=holder, now=clock.now())


def commit_twice(number: int, env: dict[str, str], count: int) -> None:
    """Two commits of one row a task: what two buttons cost at the very least."""
    from tracker.models import primary

    service("tracker").open(Config(env))
    for _ in range(2 * count):
        primary.run("INSERT INTO raw VALUES (new_id(), now())")


def crediting(world: World, count: int) -> list[Figure]:
    """Four clients add and complete tasks as fast as they can while all processes run, until every
    reward is credited.
    """
    env, by = world.stack.told(), world.id_of("ann@example.com")
    tracker, accounting = world.db("tracker"), world.db("accounting")
    each = count // CLIENTS
    tracker.run("CREATE TABLE raw (id uuid PRIMARY KEY, at timestamptz)")
    raw = at_once(commit_twice, env, each)
    tracker.run("DROP TABLE raw")
    wanted = accounting.value(REWARDS) + each * CLIENTS
    with deadline(60):
        acted = at_once(add_and_complete, env, by, each)
        waited = timed(lambda: wait_until(lambda: accounting.value(REWARDS) == wanted))
    rate = count / (acted + waited)
    world.notes["crediting"] = {"acted_s": acted, "credited_after_s": waited}
    return [
        Figure("add + complete → credited", f"{count:,} tasks, {CLIENTS} clients", rate, "tasks/s",
               count / raw, "two raw commits a task", "≥ 300", rate >= 300)
    ]  # fmt: skip


class Ledger:
    """Looks for rewards all the time and notes when each was there to be seen."""

    def __init__(self, world: World) -> None:
        self.db = world.db("accounting")
        self.awaited: set[str] = set()
        self.seen: dict[str, float] = {}
        self.is_over = threading.Event()

    def look(self) -> None:
        while not self.is_over.wait(LOOK_S):
            if awaited := list(self.awaited):
                now = time.monotonic()
                for row in self.db.rows(PAID, awaited):
                    task_id = str(row["task_id"])
                    self.awaited.discard(task_id)
                    self.seen.setdefault(task_id, now)
        self.db.close_quietly()


def clicking(world: World, count: int) -> list[Figure]:
    """Five times a second somebody clicks on "Done"; how long until the reward is in the ledger."""
    tracker, by = world.db("tracker"), world.id_of("ann@example.com")
    add_for_clicks(by, 4 * count)
    world.settle()
    people = {
        world.id_of(email): Browser(world.stack.url, email)
        for email in (f"worker{number}@example.com" for number in range(WORKERS))
    }
    rows = tracker.rows("SELECT task_id, assignee_id FROM deal WHERE assignee_id = ANY(%s::uuid[])"
                        " LIMIT %s", [str(each) for each in people], count)  # fmt: skip
    ledger, due = Ledger(world), dict[str, float]()
    looker = threading.Thread(target=ledger.look)
    looker.start()
    tasks = iter(rows)

    def click() -> bool:
        row: Any = next(tasks)
        task_id = str(row["task_id"])
        due[task_id] = time.monotonic()
        ledger.awaited.add(task_id)
        done = people[row["assignee_id"]].post(f"/tasks/{task_id}/completion")
        return done["status"] == "done"

    try:
        answers = at_rate(CLICKS_PER_S, [("click", click)], lambda begun: begun == len(rows))
        wait_until(lambda: len(ledger.seen) == len(rows), 30)
    finally:
        ledger.is_over.set()
        looker.join()
    took = [ledger.seen[task_id] - due[task_id] for task_id in due]
    return [*said(took, answers, len(rows))]


def said(took: list[float], answers: Latencies, count: int) -> list[Figure]:
    if answers.failures or len(took) < count:
        raise RuntimeError(f"{len(answers.failures)} clicks of {count} were refused")
    p99, size = 1000 * percentile(took, 0.99), f"{count:,} clicks at {CLICKS_PER_S:g}/s"
    answered = 1000 * percentile(answers.every, 0.99)
    return [
        Figure("click → credited, p99", size, p99, "ms", answered, "the click's own answer",
               "≤ 250", p99 <= 250),
        Figure("click → credited, p50", size, 1000 * percentile(took, 0.5), "ms"),
    ]  # fmt: skip


def add_for_clicks(by: UUID, count: int) -> None:
    from tracker import actions
    from tracker.domain import Draft

    drafts = [Draft(f"To click {number}") for number in range(count)]
    actions.import_tasks(drafts, by=by, now=clock.now(), seed=chance.new_seed())
