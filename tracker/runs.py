"""Runs over open tasks: reassignments people ask for, departures that follow from who left.

A run is a row first.  `step` does the next piece of whatever is due and commits it with the run's
cursor, so a job may be cut off at any line, and two of them take turns.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from common import log as logs
from common.db import Row
from common.errors import Conflict, NotFound
from common.outbox import moment_text
from common.say import word
from tracker.facts import DEALT_FACTS
from tracker.models import DEALT_TO, WORKERS, dealing, deals_held, outbox, primary, roster

log = logging.getLogger("runs")

SIZE = 5000

REQUEST = """
    INSERT INTO run (kind, state, seed, requested_by, requested_at, trace)
    VALUES ('reassignment', 'requested', %s, %s, %s, %s)
    ON CONFLICT (kind) WHERE kind = 'reassignment' AND state IN ('requested', 'running', 'paused')
    DO NOTHING RETURNING id
"""
UNDER_WAY = """
    SELECT id FROM run
    WHERE kind = 'reassignment' AND state IN ('requested', 'running', 'paused')
"""
LEFT_BEHIND = f"""
    SELECT id FROM person
    WHERE NOT ({DEALT_TO})
        AND EXISTS (SELECT FROM deal WHERE assignee_id = person.id)
        AND NOT EXISTS (SELECT FROM run WHERE leaver_id = person.id AND kind = 'departure'
                        AND state IN ('requested', 'running'))
    ORDER BY id
"""
REQUEST_DEPARTURES = """
    INSERT INTO run (kind, state, seed, leaver_id, requested_at)
    SELECT 'departure', 'requested', seed, leaver_id, %s
    FROM unnest(%s::uuid[], %s::bytea[]) AS leaving (leaver_id, seed)
    ON CONFLICT (leaver_id) WHERE kind = 'departure' AND state IN ('requested', 'running')
    DO NOTHING
"""
# The running one, else the one that waits longest; nothing while one is paused.
DUE = """
    SELECT * FROM run WHERE state IN ('requested', 'running', 'paused')
    ORDER BY state = 'running' DESC, state = 'paused' DESC, id LIMIT 1
"""
SCOPE = """
    FROM deal WHERE (%(leaver_id)s::uuid IS NULL OR assignee_id = %(leaver_id)s)
"""
START = f"""
    UPDATE run SET state = 'running', roster_id = %(roster_id)s, started_at = %(now)s,
        position = nextval('run_position'), total = (SELECT count(*) {SCOPE}),
        upper_id = (SELECT task_id {SCOPE} ORDER BY task_id DESC LIMIT 1)
    WHERE id = %(id)s
"""
END_OF_BATCH = f"""
    SELECT task_id FROM (
        SELECT task_id {SCOPE}
            AND (%(cursor)s::uuid IS NULL OR task_id > %(cursor)s) AND task_id <= %(upper_id)s
        ORDER BY task_id LIMIT %(size)s
    ) AS batch ORDER BY task_id DESC LIMIT 1
"""
IN_BATCH = """
    (%(cursor)s::uuid IS NULL OR task_id > %(cursor)s) AND task_id <= %(last_id)s
"""
# Tasks ended since the start were passed too, if the batch is where they stood.
DEAL = f"""
    WITH dealt AS (
        UPDATE deal SET run_id = %(id)s, assignee_id =
            {WORKERS}[1 + draw('deal', %(seed)s, task_id, roster.worker_count)]
        FROM roster WHERE roster.id = %(roster_id)s
            AND (%(leaver_id)s::uuid IS NULL OR assignee_id = %(leaver_id)s) AND {IN_BATCH}
        RETURNING task_id, assignee_id, run_id
    ), {DEALT_FACTS}, passed AS (
        SELECT (SELECT count(*) FROM dealt) AS dealt, (
            SELECT count(*) FROM outcome WHERE ended_at >= %(started_at)s
                AND (%(leaver_id)s::uuid IS NULL OR assignee_id = %(leaver_id)s) AND {IN_BATCH}
        ) AS ended
    )
    UPDATE run SET cursor = %(last_id)s, dealt = run.dealt + passed.dealt,
        done = least(total, done + passed.dealt + passed.ended)
    FROM passed WHERE id = %(id)s
"""
FINISH = "UPDATE run SET state = 'done', done = total, cursor = upper_id, finished_at = %s"
FAIL = "UPDATE run SET state = 'failed', error = %s, finished_at = %s"
HERE = " WHERE id = %s"


def request_reassignment(
    *, by: UUID, now: datetime, seed: bytes, check: Callable[[], None] = lambda: None
) -> tuple[UUID, bool]:
    """A reassignment of all open tasks is under way: `(its id, whether it was asked for just now)`;
    if there is one already, this joins it.

    Raises Conflict if there is nobody to deal to, and whatever `check` raises before a new one.
    """
    with dealing():
        if joined := primary.value(UNDER_WAY):
            return joined, False
        check()
        made = primary.value(REQUEST, seed, by, now, logs.trace.get())
        return (made, True) if made else (primary.value(UNDER_WAY), False)


def request_departures(*, now: datetime, seed: Callable[[], bytes]) -> int:
    """A departure is requested for everybody who holds open tasks and is no longer dealt to;
    returns for how many.
    """
    leavers = [str(row["id"]) for row in primary.rows(LEFT_BEHIND)]
    seeds = [seed() for _ in leavers]
    return primary.run(REQUEST_DEPARTURES, now, leavers, seeds) if leavers else 0


def step(*, now: datetime, size: int = SIZE) -> bool:
    """The run that is due has started, advanced by `size` tasks, or finished; False if none is.

    Raises Conflict if a departure has nobody to deal to: it waits.
    """
    with primary.atomic():
        run = primary.row(DUE + " FOR UPDATE")
        if run is None or run["state"] == "paused":
            return False
        if run["state"] == "running":
            advance(run, now=now, size=size)
            return True
    return start(run["id"], now=now)


def start(run_id: UUID, *, now: datetime) -> bool:
    """The run has its roster and its scope, unless another job was faster or it was called off."""
    with deals_held():
        # Looked at again under the lock.
        run = primary.row(DUE + " FOR UPDATE")
        if run is None or run["id"] != run_id or run["state"] != "requested":
            return run is not None and run["state"] != "paused"
        try:
            chosen = roster()
        except Conflict as error:
            if run["kind"] == "departure":
                raise
            primary.run(FAIL + HERE, error.sentence, now, run_id)
            return True
        primary.execute_sql(START, {**run, "roster_id": chosen["id"], "now": now})
    return True


def advance(run: Row, *, now: datetime, size: int) -> None:
    """The run's next `size` tasks are dealt, the facts added, the cursor moved; at the end of its
    scope it is done.  The run's row is locked by the caller.
    """
    logs.trace.set(run["trace"])
    values = {**run, "size": size, "dealt_at": moment_text(now)}
    found = primary.execute_sql(END_OF_BATCH, values).fetchone()
    if found:
        primary.execute_sql(DEAL, {**values, "last_id": found[0]})
        outbox.notify()
    if not found or found[0] == run["upper_id"]:
        primary.run(FINISH + HERE, now, run["id"])
        log.info("%s done", run["kind"], extra={"run": run["id"]})


def locked(run_id: UUID) -> Row:
    """The reassignment's row, until the end of the transaction.

    Raises NotFound, Conflict if it is another kind of run.
    """
    run = primary.row("SELECT * FROM run WHERE id = %s FOR UPDATE", run_id)
    if run is None:
        raise NotFound("There is no such reassignment.")
    if run["kind"] != "reassignment":
        raise Conflict("Only reassignments can be steered.")
    return run


def move(run_id: UUID, wanted: str, allowed: tuple[str, ...], now: datetime | None = None) -> None:
    """The reassignment's state is `wanted`, if it was `wanted` before or one of those allowed."""
    with primary.atomic():
        run = locked(run_id)
        if run["state"] == wanted:
            return
        if run["state"] not in allowed:
            raise Conflict(
                "This reassignment is %(state)s and cannot become %(wanted)s.",
                state=word(run["state"]),
                wanted=word(wanted),
            )
        state = "requested" if wanted == "running" and run["started_at"] is None else wanted
        primary.run("UPDATE run SET state = %s, finished_at = %s" + HERE, state, now, run_id)


def pause(run_id: UUID) -> None:
    """The reassignment rests where it is.  Raises NotFound, Conflict if it is over."""
    move(run_id, "paused", ("requested", "running"))


def resume(run_id: UUID) -> None:
    """The paused reassignment goes on.  Raises NotFound, Conflict if it is over."""
    move(run_id, "running", ("paused", "requested"))


def cancel(run_id: UUID, *, now: datetime) -> None:
    """The reassignment ends where it is; what it dealt stays dealt.

    Raises NotFound, Conflict if it is over otherwise.
    """
    move(run_id, "cancelled", ("requested", "running", "paused"), now)
