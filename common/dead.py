"""Dead letters: what a person does with an event that could not be handled."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from common.consume import Consumer, Handlers
from common.db import LOST, Row, Server
from common.errors import Conflict, NotFound
from common.stream import Entry

BATCH = 200
BATCH_CHARS = 500_000

TAKE = "SELECT * FROM dead_letter WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE"
# As many as one short transaction takes: of events with a thousand deals each, a few.
NEXT = """
    SELECT id FROM (
        SELECT id, sum(length(event)) OVER (ORDER BY id) - length(event) AS before
        FROM (SELECT * FROM dead_letter WHERE id > %s ORDER BY id LIMIT %s) AS next
    ) AS sized WHERE before < %s ORDER BY id
"""
REMOVE = "DELETE FROM dead_letter WHERE id = ANY(%s::uuid[])"
LOG = """
    INSERT INTO bus_log (done_by, what, detail)
    SELECT %s, 'redriven', detail FROM unnest(%s::text[]) AS letter (detail)
"""
START = UUID(int=0)


def taken(primary: Server, dead_id: UUID) -> Row:
    """The dead letter, locked.  Raises NotFound if it was dealt with already."""
    row = primary.row(TAKE, [str(dead_id)])
    if row is None:
        raise NotFound("There is no such dead letter; it may have been dealt with already.")
    return row


def redrive(primary: Server, dead_id: UUID, handlers: Handlers, *, by: str) -> Row:
    """The event's effects have happened, once, and the letter is gone.  Raises Conflict with the
    reason if it fails again.
    """
    try:
        with primary.atomic():
            row = taken(primary, dead_id)
            handle(primary, [row], handlers, by)
            return row
    except (NotFound, Conflict, *LOST):
        raise
    except Exception as error:
        raise Conflict("It failed again: %(error)s", error=str(error)) from error


def redrive_all(
    primary: Server, handlers: Handlers, *, by: str, within_s: float = math.inf
) -> tuple[int, dict[UUID, str]]:
    """Every letter was tried once, or as many as there was time for; returns how many are gone,
    and those that stay with why.
    """
    gone, stay, last = 0, dict[UUID, str](), START
    end = time.monotonic() + within_s
    while time.monotonic() < end and (rows := primary.rows(NEXT, last, BATCH, BATCH_CHARS)):
        last = rows[-1]["id"]
        failed = redrive_batch(primary, [row["id"] for row in rows], handlers, by)
        gone += len(rows) - len(failed)
        stay |= failed
    return gone, stay


def redrive_batch(
    primary: Server, ids: Sequence[UUID], handlers: Handlers, by: str
) -> dict[UUID, str]:
    # All at once, or if one of them fails each by itself.
    try:
        with primary.atomic():
            rows = primary.rows(TAKE, [str(dead_id) for dead_id in ids])
            handle(primary, rows, handlers, by)
            return {}
    except LOST:
        raise
    except Exception as error:
        if len(ids) == 1:
            return {ids[0]: str(error)}
        stay: dict[UUID, str] = {}
        for dead_id in ids:
            stay |= redrive_batch(primary, [dead_id], handlers, by)
        return stay


def handle(primary: Server, rows: Sequence[Row], handlers: Handlers, by: str) -> None:
    consumer = Consumer("redrive", primary, None, handlers, ())
    consumer.handle([Entry(row["stream"], row["entry_id"], row["event"]) for row in rows])
    primary.run(REMOVE, [str(row["id"]) for row in rows])
    primary.run(LOG, by, [f"{row['id']}: {row['stream']} {row['entry_id']}" for row in rows])


def discard(primary: Server, dead_id: UUID, *, reason: str, by: str) -> Row:
    """The letter is gone for good, with who and why kept in the log of discarded ones."""
    with primary.atomic():
        row = taken(primary, dead_id)
        primary.run(
            "INSERT INTO discarded_letter VALUES (%s, %s, %s, %s, %s, %s, %s)",
            *(row[name] for name in ("id", "stream", "entry_id", "event", "error")),
            reason,
            by,
        )
        primary.run(REMOVE, [str(dead_id)])
        return row


def facts(row: Mapping[str, Any], service: str) -> Row:
    """A dead letter as JSON shows it."""
    shown = {name: row[name] for name in ("id", "event", "error", "deliveries", "at")}
    return {**shown, "service": service}
