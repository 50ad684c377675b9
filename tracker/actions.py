"""What can happen to a task.  One function, one transaction: rows and their event together."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from common import log
from common.db import Row
from common.errors import Conflict, NotFound
from common.events import TaskAdded, TaskCompleted, TaskWithdrawn
from common.outbox import moment_text
from common.say import say
from tracker import domain
from tracker.domain import Draft
from tracker.facts import DEALT_FACTS
from tracker.models import WORKERS, dealing, outbox, primary

ADD = """
    WITH dealt AS (
        INSERT INTO run (kind, state, seed, roster_id, requested_by, requested_at, total, done,
                         dealt, started_at, finished_at)
        VALUES ('addition', 'done', %s, %s, %s, %s, 1, 1, 1, %s, %s)
        RETURNING id, seed, roster_id
    ), added AS (
        INSERT INTO task (title, jira_id, description, search_text, added_by, created_at, run_id)
        SELECT %s, %s, %s, %s, %s, %s, id FROM dealt
        RETURNING id
    )
    INSERT INTO deal (task_id, assignee_id, run_id)
    SELECT added.id, worker_ids[1 + draw('deal', seed, added.id, worker_count)], dealt.id
    FROM added, dealt JOIN roster ON roster.id = roster_id
    RETURNING task_id, assignee_id, run_id
"""

IMPORT = f"""
    WITH ran AS (
        INSERT INTO run (kind, state, seed, roster_id, requested_by, requested_at, total, done,
                         dealt, started_at, finished_at)
        VALUES ('import', 'done', %(seed)s, %(roster_id)s, %(by)s, %(now)s, %(count)s, %(count)s,
                %(count)s, %(now)s, %(now)s)
        RETURNING *
    ), added AS (
        INSERT INTO task (title, jira_id, description, search_text, added_by, created_at, run_id)
        SELECT draft.title, draft.jira_id, draft.description, draft.search_text,
               %(by)s, %(now)s, ran.id
        FROM ran, unnest(%(titles)s::text[], %(keys)s::text[], %(descriptions)s::text[],
                         %(searched)s::text[])
             WITH ORDINALITY AS draft (title, jira_id, description, search_text, n)
        ORDER BY n
        RETURNING id
    ), dealt AS (
        INSERT INTO deal (task_id, assignee_id, run_id)
        SELECT added.id, {WORKERS}[1 + draw('deal', seed, added.id, worker_count)], ran.id
        FROM added, ran JOIN roster ON roster.id = roster_id
        RETURNING task_id, assignee_id, run_id
    ), {DEALT_FACTS}
    SELECT id FROM ran
"""

END = """
    WITH ended AS (
        DELETE FROM deal WHERE task_id = %s AND assignee_id = coalesce(%s, assignee_id)
        RETURNING task_id, assignee_id, run_id
    )
    INSERT INTO outcome (task_id, status, assignee_id, run_id, ended_by, ended_at)
    SELECT task_id, %s, assignee_id, run_id, %s, %s FROM ended
    RETURNING assignee_id, run_id
"""

# Dealt anew between the two looks.
MOVED = say("This task changed hands just now; please look again.")


def add_task(draft: Draft, *, by: UUID, now: datetime, seed: bytes) -> UUID:
    """A new task is dealt to somebody and its fee will be charged; returns its id.

    Raises Conflict if there is nobody to deal to.
    """
    text = (draft.title, draft.jira_id, draft.description, domain.search_text(draft))
    with dealing() as roster:
        dealt = primary.row(ADD, seed, roster["id"], by, now, now, now, *text, by, now)
        assert dealt is not None
        outbox.add(
            TaskAdded(**dealt, added_by=by, title=draft.title, jira_id=draft.jira_id, added_at=now)
        )
    return dealt["task_id"]


def import_tasks(drafts: Sequence[Draft], *, by: UUID, now: datetime, seed: bytes) -> int:
    """All the tasks are there and dealt, as one run; returns how many.

    Raises Conflict if there is nobody to deal to.
    """
    if not drafts:
        return 0
    with dealing() as roster:
        values: dict[str, Any] = {
            "seed": seed,
            "roster_id": roster["id"],
            "by": by,
            "now": now,
            "count": len(drafts),
            "titles": [draft.title for draft in drafts],
            "keys": [draft.jira_id for draft in drafts],
            "descriptions": [draft.description for draft in drafts],
            "searched": [domain.search_text(draft) for draft in drafts],
            "dealt_at": moment_text(now),
            "trace": log.trace.get(),
        }
        primary.execute_sql(IMPORT, values)
        outbox.notify()
    return len(drafts)


def complete_task(task_id: UUID, *, by: UUID, now: datetime) -> None:
    """The task is done and its reward will be paid, once.

    Raises NotFound, Forbidden if it is somebody else's, Conflict if it is not open.
    """
    with primary.atomic():
        if primary.row(END, task_id, by, "done", by, now) is None:
            task = standing(task_id)
            domain.check_may_complete(task["assignee_id"], by=by)
            domain.check_open(task["status"])
            raise Conflict(MOVED)
        outbox.add(TaskCompleted(task_id=task_id, assignee_id=by, completed_at=now))


def withdraw_task(task_id: UUID, *, by: UUID, now: datetime) -> None:
    """The task is no longer to be done, and the fee of its last deal will be given back.

    Raises NotFound, Conflict if it is not open.  That `by` is a manager is for the caller to see.
    """
    with primary.atomic():
        ended = primary.row(END, task_id, None, "withdrawn", by, now)
        if ended is None:
            domain.check_open(standing(task_id)["status"])
            raise Conflict(MOVED)
        outbox.add(TaskWithdrawn(task_id=task_id, **ended, withdrawn_at=now))


def edit_task(task_id: UUID, draft: Draft, *, by: UUID, role: str, now: datetime) -> bool:
    """The open task reads as drafted; False if it did already.

    Raises NotFound, Forbidden if it is not theirs to change, Conflict if it is not open.
    """
    text = (draft.title, draft.jira_id, draft.description)
    with primary.atomic():
        task = standing(task_id)
        domain.check_may_edit(task["added_by"], by=by, role=role)
        # Whoever ends the task meanwhile waits for this, or this finds it ended.
        is_open = primary.row("SELECT FROM deal WHERE task_id = %s FOR KEY SHARE", task_id)
        domain.check_open("open" if is_open is not None else standing(task_id)["status"])
        changed = primary.run(
            "UPDATE task SET title = %s, jira_id = %s, description = %s, search_text = %s"
            " WHERE id = %s AND (title, jira_id, description) IS DISTINCT FROM (%s, %s, %s)",
            *text,
            domain.search_text(draft),
            task_id,
            *text,
        )
        if changed:
            primary.run("INSERT INTO edit VALUES (%s, %s, %s)", task_id, now, by)
    return bool(changed)


def standing(task_id: UUID) -> Row:
    """Where the task stands: its status, assignee and who added it.  Raises NotFound."""
    found = primary.row(
        "SELECT status, assignee_id, added_by FROM task JOIN standing ON task_id = task.id"
        " WHERE task.id = %s",
        task_id,
    )
    if found is None:
        raise NotFound("There is no such task.")
    return found
