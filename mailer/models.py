"""The mailer's database: an address book copied from `user.*`, and one letter a cause."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from common.db import Row, Server
from common.outbox import Outbox
from common.store import Store

store = Store("mailer")
primary = store.primary
outbox = Outbox(primary, "mailer")

STATES = ("unaddressed", "queued", "sending", "sent", "failed")

LETTERS = """
    SELECT letter.id, email AS "to", kind, payload::text AS about, state, attempts, error
    FROM letter LEFT JOIN address USING (person_id)
"""


def matching(state: str | None, before: tuple[Any, ...] | None = None) -> tuple[str, list[Any]]:
    """WHERE for letters in `state`, any for None, older than the key; with its parameters."""
    tests = [("state = %s", state)] if state else []
    tests += [("letter.id < %s", before[0])] if before else []
    conditions = [condition for condition, _ in tests]
    return f"WHERE {' AND '.join(conditions or ['true'])}", [value for _, value in tests]


def page(db: Server, state: str | None, before: tuple[UUID] | None, limit: int) -> list[Row]:
    """Letters, newest first."""
    where, values = matching(state, before)
    return db.rows(f"{LETTERS} {where} ORDER BY letter.id DESC LIMIT %s", *values, limit)


def every(db: Server, state: str | None) -> Iterator[Row]:
    """All letters in that state, newest first."""
    where, values = matching(state)
    return db.stream(f"{LETTERS} {where} ORDER BY letter.id DESC", *values)


def count(db: Server, state: str | None, most: int) -> int:
    """How many there are, `most` if there are more."""
    where, values = matching(state)
    return db.value(
        f"SELECT count(*) FROM (SELECT FROM letter {where} LIMIT %s) AS found", *values, most
    )


def letter(db: Server, letter_id: UUID) -> Row | None:
    return db.row(f"{LETTERS} WHERE letter.id = %s", letter_id)
