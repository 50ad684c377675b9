"""The tracker's tables as one opens them, and the lock that orders deals and rosters."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.db import Row
from common.errors import Conflict
from common.outbox import Outbox
from common.store import Store
from tracker import domain

store = Store("tracker")
primary, replica = store.primary, store.replica
outbox = Outbox(primary, "tracker")

DEALT_TO = "is_active AND role IN ('worker', 'accountant')"

SHARE_DEALS = "SELECT pg_advisory_xact_lock_shared(hashtext('deals'))"
HOLD_DEALS = "SELECT pg_advisory_xact_lock(hashtext('deals'))"
# To deal many tasks: subscripting the stored array would fetch all of a long one for each of them.
WORKERS = "(SELECT worker_ids || '{}' FROM roster WHERE id = %(roster_id)s)"
CURRENT = "SELECT id, worker_count FROM roster WHERE is_current"
# The sum of hashes says whether these are the same people, in no order.
MARK = "coalesce(sum(uuid_hash_extended(id, 0)), 0)::text"
MAKE = f"""
    INSERT INTO roster (worker_ids, mark)
    SELECT array_agg(id ORDER BY id), {MARK} FROM person
    WHERE {DEALT_TO} HAVING count(*) > 0
    ON CONFLICT (is_current) WHERE is_current DO NOTHING
"""


@contextmanager
def dealing() -> Iterator[Row]:
    """A transaction that deals, given the current roster; many of them at once.

    Whoever changes who is dealt to, or starts a run over all open tasks, waits for those in flight,
    and they for him.  Raises Conflict if there is nobody to deal to.
    """
    with primary.atomic():
        yield roster(SHARE_DEALS)


@contextmanager
def deals_held() -> Iterator[None]:
    """A transaction during which nobody deals."""
    with primary.atomic():
        primary.execute_sql(HOLD_DEALS)
        yield


def roster(lock: str = "") -> Row:
    """The current roster, made now if people changed since the last, seen under the lock.  Raises
    Conflict if there is nobody to deal to.
    """
    # One round trip; the second statement sees what was committed when the lock was had.
    found = primary.row(f"{lock}; {CURRENT}" if lock else CURRENT)
    if found is None:
        primary.run(MAKE)
        found = primary.row(CURRENT)
    if found is None:
        raise Conflict(domain.NOBODY)
    return found
