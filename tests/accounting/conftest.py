"""What accounting's tests share: facts to tell it, and ways to look at what it did."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from accounting.handlers import HANDLERS
from accounting.models import primary
from common import clock
from common.events import TaskAdded, TaskCompleted, TasksDealt, TaskWithdrawn
from common.events.base import Envelope, Event

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MONDAY = NOON.date()


@pytest.fixture(autouse=True)
def noon(clean: None) -> Iterator[None]:
    """Empty books, never opened, at noon of a Monday."""
    with clock.hold(NOON):
        yield


def new_id() -> UUID:
    return primary.value("SELECT new_id()")


def tell(*events: Event) -> None:
    """The events are handled as one batch, as the consumer does but without its inbox."""
    with primary.atomic():
        for kind, handler in HANDLERS.items():
            if matching := [event for event in events if type(event) is kind]:
                handler(matching)


def added(worker_id: UUID, task_id: UUID | None = None) -> TaskAdded:
    return TaskAdded(
        task_id=task_id or new_id(),
        run_id=new_id(),
        assignee_id=worker_id,
        added_by=worker_id,
        title="Sweep the floor",
        jira_id=None,
        added_at=NOON,
    )


def dealt(*deals: tuple[UUID, UUID], run_id: UUID | None = None) -> TasksDealt:
    return TasksDealt(run_id=run_id or new_id(), dealt_at=NOON, deals=list(deals))


def completed(worker_id: UUID, task_id: UUID | None = None) -> TaskCompleted:
    return TaskCompleted(task_id=task_id or new_id(), assignee_id=worker_id, completed_at=NOON)


def withdrawn(worker_id: UUID, task_id: UUID, run_id: UUID) -> TaskWithdrawn:
    return TaskWithdrawn(task_id=task_id, run_id=run_id, assignee_id=worker_id, withdrawn_at=NOON)


def workers_with_rewards(count: int) -> list[UUID]:
    """So many new workers, each with a positive balance, in ascending order."""
    workers = sorted(new_id() for _ in range(count))
    tell(*[completed(worker_id) for worker_id in workers])
    return workers


def price(task_id: UUID) -> tuple[int, int]:
    """The fee and the reward."""
    rows = primary.execute_sql(
        "SELECT fee_cents, reward_cents FROM price WHERE task_id = %s", (task_id,)
    )
    return rows.fetchone()


def balances() -> dict[UUID, int]:
    """`{worker_id: balance_cents}` as kept, which is also what the transfers say."""
    kept = {row["worker_id"]: row["balance_cents"] for row in primary.rows("TABLE report_balances")}
    summed: Counter[UUID] = Counter()
    for row in primary.rows("SELECT worker_id, signed_cents FROM report_transfers"):
        summed[row["worker_id"]] += row["signed_cents"]
    assert kept == dict(summed)
    return kept


def kinds() -> Counter[str]:
    """`{kind: how many transfers}`."""
    return Counter(row["kind"] for row in primary.rows("SELECT kind FROM transfer"))


def facts(kind: type[Event]) -> Sequence[Any]:
    """All events of the kind in the outbox, in order."""
    rows = primary.rows("SELECT envelope FROM outbox WHERE type = %s ORDER BY id", kind.type)
    return [Envelope.read(row["envelope"]).event() for row in rows]
