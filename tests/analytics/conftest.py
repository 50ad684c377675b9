"""What analytics' tests share: days with money in them, made by the services that own it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from accounting import actions, payouts, prices
from accounting.handlers import HANDLERS
from accounting.models import primary as accounting
from common import clock
from common.chance import draw
from common.events import TaskCompleted, TasksDealt
from common.events.base import Event
from gateway.models import primary as gateway
from tracker.models import primary as tracker

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MONDAY = NOON.date()

TASK = """
    WITH made AS (
        INSERT INTO run (kind, state, seed, requested_at, finished_at)
        VALUES ('addition', 'done', %s, now(), now()) RETURNING id
    )
    INSERT INTO task (title, description, search_text, added_by, created_at, run_id)
    SELECT %s, '', lower(%s), id, now(), id FROM made RETURNING id
"""
PRICE = """
    WITH made AS (INSERT INTO pricing (seed, priced_at) VALUES (%s, now()) RETURNING id)
    INSERT INTO price SELECT %s, %s, %s, id FROM made
"""


@pytest.fixture(autouse=True)
def books(clean: None) -> Iterator["Books"]:
    """The books, opened on a Monday."""
    made = Books()
    with clock.hold(NOON):
        yield made


@pytest.fixture
def users(cast: Any) -> None:
    """The gateway's own rows of the cast, whom it would otherwise only have told of."""
    for one in cast:
        gateway.run(
            "INSERT INTO person (id, email, name, role, is_active, created_at)"
            " VALUES (%s, %s, %s, %s, %s, now())",
            *(one.id, one.email, one.name, one.role, one.is_active),
        )


def is_worth_it(seed: bytes, task_id: UUID) -> bool:
    return 20 + draw("reward", seed, task_id, 21) > 10 + draw("fee", seed, task_id, 11)


class Books:
    """What happens to tasks, priced as the test says, and days that pass."""

    def __init__(self) -> None:
        self.now = NOON

    def task(self, title: str, *, fee: int = 1000, reward: int = 3000) -> UUID:
        """A task the tracker knows, priced."""
        task_id = tracker.value(TASK, bytes(32), title, title)
        accounting.run(PRICE, bytes(32), task_id, fee, reward)
        return task_id

    def draw_prices(self, *task_ids: UUID) -> None:
        """Each reward is drawn above the fee: one in 231 is not, and leaves nothing to pay out."""
        for task_id in task_ids:
            seeds = (number.to_bytes(32, "big") for number in count())
            seed = next(seed for seed in seeds if is_worth_it(seed, task_id))
            with accounting.atomic():
                prices.price_tasks([task_id], seed=seed, now=self.now)

    def tell(self, *events: Event) -> None:
        self.now += timedelta(seconds=1)
        with clock.hold(self.now), accounting.atomic():
            for kind, handler in HANDLERS.items():
                if matching := [event for event in events if type(event) is kind]:
                    handler(matching)

    def deal(self, worker: Any, *task_ids: UUID) -> None:
        run_id = accounting.value("SELECT new_id()")
        deals = [(task_id, worker.id) for task_id in task_ids]
        self.tell(TasksDealt(run_id=run_id, dealt_at=self.now, deals=deals))

    def complete(self, worker: Any, task_id: UUID) -> None:
        self.tell(TaskCompleted(task_id=task_id, assignee_id=worker.id, completed_at=self.now))

    def next_day(self) -> None:
        """The open day is closed and paid out; it is noon of the next one."""
        if not accounting.value("SELECT EXISTS (SELECT FROM business_day)"):
            self.tell(TasksDealt(run_id=UUID(int=1), dealt_at=self.now, deals=[]))
        self.now = (self.now + timedelta(days=1)).replace(hour=12, minute=0, second=0)
        with clock.hold(self.now):
            actions.close_due_days(now=self.now)
            payouts.pay_all(now=self.now)
