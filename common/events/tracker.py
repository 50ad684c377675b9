"""What the tracker says about tasks."""

from datetime import datetime
from uuid import UUID

from common.events.base import Event


class TaskAdded(Event, name="task.added", version=1):
    """Somebody added a task and it was dealt: accounting prices it and charges the fee."""

    task_id: UUID
    run_id: UUID
    assignee_id: UUID
    added_by: UUID
    title: str
    jira_id: str | None
    added_at: datetime


class TasksDealt(Event, name="tasks.dealt", version=1):
    """One batch of a run of deals, up to 1,000 `[task_id, worker_id]` pairs."""

    run_id: UUID
    dealt_at: datetime
    deals: list[tuple[UUID, UUID]]


class TaskCompleted(Event, name="task.completed", version=1):
    """A worker finished a task.  Accounting pays the reward, once a task."""

    task_id: UUID
    assignee_id: UUID
    completed_at: datetime


class TaskWithdrawn(Event, name="task.withdrawn", version=1):
    """An open task was taken back; the fee of its last deal, that of `run_id`, is reversed once."""

    task_id: UUID
    run_id: UUID
    assignee_id: UUID
    withdrawn_at: datetime
