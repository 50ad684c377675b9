"""Dead letters: what a person does with an event that could not be handled."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from common.consume import Consumer, Handlers
from common.db import Row, Server
from common.errors import Conflict, NotFound
from common.stream import Entry

TAKE = "SELECT * FROM dead_letter WHERE id = %s FOR UPDATE"


def taken(primary: Server, dead_id: UUID) -> Row:
    """The dead letter, locked.  Raises NotFound if it was dealt with already."""
    row = primary.row(TAKE, dead_id)
    if row is None:
        raise NotFound("There is no such dead letter; it may have been dealt with already.")
    return row


def redrive(primary: Server, dead_id: UUID, handlers: Handlers) -> Row:
    """The event's effects have happened, once, and the letter is gone.  Raises Conflict with the
    reason if it fails again.
    """
    consumer = Consumer("redrive", primary, None, handlers, ())
    try:
        with primary.atomic():
            row = taken(primary, dead_id)
            consumer.handle([Entry(row["stream"], row["entry_id"], row["event"])])
            primary.run("DELETE FROM dead_letter WHERE id = %s", dead_id)
            return row
    except (NotFound, Conflict):
        raise
    except Exception as error:
        raise Conflict(f"It failed again: {error}") from error


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
        primary.run("DELETE FROM dead_letter WHERE id = %s", dead_id)
        return row


def facts(row: Mapping[str, Any], service: str) -> Row:
    """A dead letter as JSON shows it."""
    shown = {name: row[name] for name in ("id", "event", "error", "deliveries", "at")}
    return {**shown, "service": service}
