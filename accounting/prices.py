"""Prices: drawn once a task, when accounting first hears of it, by whatever event comes first."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from accounting.models import Agreed, outbox, primary
from common.events import TasksPriced

PRICES_MAX = 1000
T = TypeVar("T")

# Two who price the same tasks in another order would wait for each other for ever: one at a time,
# under the lock that orders totals, since a batch of several kinds comes to both by turns.
ALONE = """
    SELECT pg_advisory_xact_lock(hashtext('totals')) WHERE EXISTS (
        SELECT FROM unnest(%s::uuid[]) AS heard (task_id)
        WHERE NOT EXISTS (SELECT FROM price WHERE price.task_id = heard.task_id))
"""
DRAW = """
    WITH unheard AS (
        SELECT DISTINCT task_id FROM unnest(%s::uuid[]) AS heard (task_id)
        WHERE NOT EXISTS (SELECT FROM price WHERE price.task_id = heard.task_id)
    ), batch AS (
        INSERT INTO pricing (seed, priced_at)
        SELECT %s, %s WHERE EXISTS (SELECT FROM unheard) RETURNING id, seed
    )
    INSERT INTO price (task_id, fee_cents, reward_cents, pricing_id)
    SELECT task_id, (%s + draw('fee', seed, task_id, %s)) * 100,
           (%s + draw('reward', seed, task_id, %s)) * 100, batch.id
    FROM unheard, batch ORDER BY task_id
    ON CONFLICT DO NOTHING RETURNING task_id, fee_cents, reward_cents
"""


def uuids(ids: Iterable[UUID]) -> str:
    """The ids as PostgreSQL spells an array; far quicker than one quoted text each."""
    return "{" + ",".join([each.hex for each in ids]) + "}"


def price_tasks(task_ids: Sequence[UUID], *, seed: bytes, now: datetime) -> None:
    """Every one of the tasks has its price for ever; those new to us are published."""
    heard = uuids(task_ids)
    if primary.row(ALONE, heard) is None:
        return
    (fee, fee_max), (reward, reward_max) = Agreed.terms.fees, Agreed.terms.rewards
    ranges = fee, fee_max - fee + 1, reward, reward_max - reward + 1
    cursor = primary.execute_sql(DRAW, (heard, seed, now, *ranges))
    outbox.add_all(TasksPriced(prices=part) for part in parts(cursor.fetchall(), PRICES_MAX))


def parts(whole: Iterable[T], size: int) -> Iterator[list[T]]:
    """What there is, cut into lists of up to `size`."""
    rest = iter(whole)
    while part := list(islice(rest, size)):
        yield part
