"""Reads for accounting's own pages, each one SELECT on the server it is given."""

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from common import people
from common.db import Row, Server

RUN = "SELECT id, day, state, total, done, paid_cents FROM payout_run"
RECONCILED = """
    SELECT paid_count, paid_cents, moved_count, moved_cents, told_count, told_cents,
           (moved_count, moved_cents) = (paid_count, paid_cents)
           AND (told_count, told_cents) = (paid_count, paid_cents) AS agrees
    FROM payout_run WHERE id = %s AND moved_count IS NOT NULL
"""
FIRST = UUID(int=0)

RUNS = f"{RUN} WHERE day < %s ORDER BY day DESC LIMIT %s"
PAYOUTS = """
    SELECT paid.worker_id, person.name, paid.amount_cents,
           coalesce(letter.state, 'queued') AS letter
    FROM transfer AS paid LEFT JOIN person ON person.id = worker_id
    LEFT JOIN letter ON payout_id = paid.id
    WHERE paid.kind = 'payout' AND day = %s AND worker_id > %s ORDER BY worker_id
"""
# What closing the open day would do now; balances of days still being paid are among them.
PREVIEW = """
    SELECT (SELECT day FROM business_day WHERE state = 'open') AS day, due_count AS workers,
           due_cents AS paid_cents, minus_count AS workers_in_minus, minus_cents AS carried_cents
    FROM tally
"""


def runs(db: Server, *, before: date = date.max, limit: int) -> list[Row]:
    """Payout runs, newest day first."""
    return db.rows(RUNS, before, limit)


def all_runs(db: Server) -> Iterator[Row]:
    return db.stream(f"{RUN} ORDER BY day DESC")


def run(db: Server, run_id: UUID) -> Row | None:
    return db.row(f"{RUN} WHERE id = %s", run_id)


def reconciliation(db: Server, run_id: UUID) -> Row | None:
    """What the run paid, what was posted, what the mailer was told, and whether they agree; None
    before its end.
    """
    return db.row(RECONCILED, run_id)


def payouts(db: Server, day: date, *, after: UUID = FIRST, limit: int) -> list[Row]:
    """What was paid for `day`, ascending by worker, with what became of the letters."""
    return db.rows(f"{PAYOUTS} LIMIT %s", day, after, limit)


def all_payouts(db: Server, day: date) -> Iterator[Row]:
    return db.stream(PAYOUTS, day, FIRST)


def payout(row: Row) -> Row:
    """A row of these as pages and JSON show it."""
    known = {row["worker_id"]: row["name"]} if row["name"] else {}
    return {
        "worker": people.reference(row["worker_id"], known),
        "amount_cents": row["amount_cents"],
        "letter": row["letter"],
    }


def preview(db: Server) -> Row:
    """`{day, workers, paid_cents, workers_in_minus, carried_cents}` were the open day closed now;
    `day` None: the books were never opened.
    """
    found: Any = db.row(PREVIEW)
    return found
