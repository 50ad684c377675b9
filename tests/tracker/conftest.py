"""What the tracker's tests share."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from common import chance
from common.db import Row
from common.events import TasksDealt, UserChanged
from common.events.base import Envelope, Event
from tests.conftest import Client, Person
from tracker import actions, handlers, runs
from tracker.domain import Draft
from tracker.models import primary

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def added(by: Person, title: str = "Sweep the floor", **more: Any) -> UUID:
    """A task, dealt to somebody."""
    return actions.add_task(Draft(title, **more), by=by.id, now=NOW, seed=chance.new_seed())


def many(count: int, by: Person) -> list[UUID]:
    """So many tasks, the oldest first."""
    drafts = [Draft(f"Task {number}") for number in range(count)]
    actions.import_tasks(drafts, by=by.id, now=NOW, seed=chance.new_seed())
    return [row["id"] for row in primary.rows("SELECT id FROM task ORDER BY id")]


def holder(task_id: UUID) -> UUID:
    return primary.value("SELECT assignee_id FROM standing WHERE task_id = %s", task_id)


def held() -> dict[UUID, UUID]:
    """`{task_id: assignee_id}` of all open tasks."""
    rows = primary.rows("SELECT task_id, assignee_id FROM deal")
    return {row["task_id"]: row["assignee_id"] for row in rows}


def facts(kind: type[Event]) -> list[Any]:
    """All events of the kind in the outbox, in order."""
    rows = primary.rows("SELECT envelope FROM outbox WHERE type = %s ORDER BY id", kind.type)
    return [Envelope.read(row["envelope"]).event() for row in rows]


def dealt_in(run_id: UUID) -> list[tuple[UUID, UUID]]:
    told = [fact for fact in facts(TasksDealt) if fact.run_id == run_id]
    return [pair for fact in told for pair in fact.deals]


def run_row(run_id: UUID) -> Row:
    found = primary.row("SELECT * FROM run WHERE id = %s", run_id)
    assert found
    return found


def asked(by: Person, minutes: int = 0) -> UUID:
    """A reassignment that was asked for."""
    now = NOW + timedelta(minutes=minutes)
    return runs.request_reassignment(by=by.id, now=now, seed=chance.new_seed())[0]


def work(minutes: int = 0, size: int = runs.SIZE) -> int:
    """The job, until nothing is due; returns how many steps that took."""
    steps = 0
    while runs.step(now=NOW + timedelta(minutes=minutes), size=size):
        steps += 1
    return steps


@pytest.fixture
def change() -> Callable[..., None]:
    """`change(bob, is_active=False)`: the tracker hears so."""
    versions: dict[UUID, int] = {}

    def hear(who: Person, *, role: str = "", is_active: bool = True) -> None:
        versions[who.id] = versions.get(who.id, 1) + 1
        news = UserChanged(
            user_id=who.id,
            email=who.email,
            name=who.name,
            role=role or who.role,
            is_active=is_active,
            user_version=versions[who.id],
        )
        with primary.atomic():
            handlers.learn_people([news])

    return hear


@pytest.fixture
def see(client: Callable[..., Client], replayed: Callable[[], None]) -> Callable[..., Any]:
    """`see(bob, "/tasks")`: the JSON, once the standby shows everything."""

    def get(who: Any, path: str, status: int = 200) -> Any:
        replayed()
        answer = client("tracker", who).get(path)
        assert answer.status_code == status, answer.text
        return answer.json

    return get
