"""What people and the clock can do to the books: close a day, take a transfer back."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from uuid import UUID

from peewee import OperationalError

from accounting import books, ledger
from accounting.models import primary
from common import log
from common.db import Row, deadline, sqlstate
from common.errors import Away, Conflict, NotFound

LOCK_NOT_AVAILABLE = "55P03"
PATIENCE_S = 30

# Nothing but its payouts can change these figures any more; the workers in minus are counted again
# after them.
CLOSE = """
    UPDATE business_day SET state = 'closing', fees_cents = report.fees_cents,
        rewards_cents = report.rewards_cents, workers_in_minus = report.workers_in_minus
    FROM report_days AS report WHERE business_day.day = %s AND report.day = business_day.day
"""
REQUEST = """
    INSERT INTO payout_run (day, total, requested_by, requested_at, trace)
    SELECT %s, count(*), %s, %s, %s FROM total WHERE day = %s AND carried_cents IS NULL RETURNING *
"""
REVERSE = """
    INSERT INTO transfer (kind, debit_id, credit_id, worker_id, amount_cents, day, occurred_at,
                          posted_at, task_id, run_id, reverses_id, reason)
    SELECT 'reversal', credit_id, debit_id, worker_id, amount_cents, %s, %s, %s, task_id, run_id,
           id, %s
    FROM transfer WHERE id = %s
    ON CONFLICT (reverses_id) WHERE kind = 'reversal' DO NOTHING RETURNING *
"""


def close_day(day: date, *, by: UUID | None, now: datetime, wait_s: int = 3) -> Row:
    """The books are open for the next date, and a payout run for `day` is requested; returns it.
    `by` None: by the clock.  Raises Conflict unless `day` is the open day and has begun, Away if
    the books are busy for longer than `wait_s`.
    """
    with primary.atomic(), patience(wait_s):
        check_may_close(day, opened=books.take(now), today=books.today(now))
        primary.run(CLOSE, day)
        books.open_next(day, now=now)
        return primary.rows(REQUEST, day, by, now, log.trace.get(), day)[0]


def check_may_close(day: date, *, opened: date, today: date) -> None:
    """Raises Conflict unless `day` is `opened`, the open day, and not later than `today`."""
    if day < opened:
        raise Conflict(
            "%(day)s is already closed; the books are open for %(open)s.", day=day, open=opened
        )
    if day > opened:
        raise Conflict(
            "%(day)s is not open; the books are open for %(open)s.", day=day, open=opened
        )
    if day > today:
        raise Conflict(
            "%(day)s has not begun; today, %(today)s, is already closed.", day=day, today=today
        )


def close_due_days(*, now: datetime) -> list[date]:
    """Every day before today is closed, one after the other; returns those closed here."""
    closed = []
    with deadline(2 * PATIENCE_S):
        while (day := due_day(now)) is not None:
            with suppress(Conflict):  # somebody else has just closed it
                close_day(day, by=None, now=now, wait_s=PATIENCE_S)
                closed.append(day)
    return closed


def due_day(now: datetime) -> date | None:
    """The open day, if it is over."""
    with primary.atomic():
        day = books.share(now)
    return day if day < books.today(now) else None


@contextmanager
def patience(seconds: int) -> Iterator[None]:
    """Locks are waited for that long.  Raises Away when it was not enough."""
    primary.run("SELECT set_config('lock_timeout', %s, true)", f"{seconds}s")
    try:
        yield
    except OperationalError as error:
        if sqlstate(error) == LOCK_NOT_AVAILABLE:
            raise Away("The books are busy just now; please try again in a moment.") from error
        raise


def reverse_transfer(transfer_id: UUID, *, reason: str, now: datetime) -> Row:
    """The transfer is taken back by another one in the open day; returns that.  Raises NotFound,
    or Conflict if it is a reversal itself or was reversed before.
    """
    with primary.atomic():
        day = books.share(now)
        kind = primary.value("SELECT kind FROM transfer WHERE id = %s", transfer_id)
        if kind is None:
            raise NotFound("There is no such transfer.")
        if kind == "reversal":
            raise Conflict("A reversal is not reversed.")
        made = primary.row(REVERSE, day, now, now, reason, transfer_id)
        if made is None:
            raise Conflict("This transfer was reversed before.")
        ledger.add_to_totals(day, ledger.Moved({(made["worker_id"], kind): -made["amount_cents"]}))
    return made
