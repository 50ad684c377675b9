"""The books and the business day for which they are open."""

from datetime import date, datetime, timedelta

from accounting.models import Agreed, primary
from common import clock

# Posting shares the books, so that the open day stays open until it commits; closing has them to
# itself.
SHARED = "SELECT pg_advisory_xact_lock_shared(hashtext('books'))"
ALONE = "SELECT pg_advisory_xact_lock(hashtext('books'))"

# After a lock in the same round trip, yet a statement of its own: the day is read as of when the
# lock was granted.
OPEN_DAY = "SELECT day FROM business_day WHERE state = 'open'"

OPEN = """
    INSERT INTO business_day (day, state, opened_at) VALUES (%s, 'open', %s) ON CONFLICT DO NOTHING
"""
# Only a first day on which nothing was posted or closed may become another one.
REOPEN = """
    UPDATE business_day SET day = %s, opened_at = %s
    WHERE NOT EXISTS (SELECT FROM transfer) AND (SELECT count(*) FROM business_day) = 1
"""


def share(now: datetime) -> date:
    """The open day; it stays open until the transaction around this ends."""
    return open_day(now, SHARED)


def take(now: datetime) -> date:
    """The open day; nobody else posts or closes until the transaction around this ends."""
    return open_day(now, ALONE)


def today(now: datetime) -> date:
    """The date on which `now` falls where the business is."""
    return clock.day_of(now, Agreed.terms.zone)


def open_day(now: datetime, lock: str) -> date:
    """The open day, read under the lock; books never opened are opened for today."""
    found = primary.value(f"{lock}; {OPEN_DAY}")
    return found or open_books(today(now), now=now)


def open_books(day: date, *, now: datetime) -> date:
    """Books never used before are open for `day`; returns the open day."""
    with primary.atomic():
        primary.run(REOPEN, day, now)
        if not primary.value("SELECT EXISTS (SELECT FROM business_day)"):
            primary.run(OPEN, day, now)
    return primary.value(OPEN_DAY)


def prepare() -> None:
    """The books are open from the first start on; unused, for today."""
    now = clock.now()
    with primary.atomic():
        primary.execute_sql(ALONE)
        open_books(today(now), now=now)


def open_next(day: date, *, now: datetime) -> None:
    """The date after `day` is open."""
    primary.run(
        "INSERT INTO business_day (day, state, opened_at) VALUES (%s, 'open', %s)",
        day + timedelta(days=1),
        now,
    )
