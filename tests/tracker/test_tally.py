"""What is counted along the way equals what is there."""

import random
import threading
from uuid import UUID

from common.events import TasksPriced
from tests.conftest import Cast
from tests.tracker.conftest import NOW, added, asked, held, many, work
from tracker import actions, handlers, reassignments
from tracker.models import primary

COUNTED = """
    SELECT count(*) AS open, coalesce(sum(fee_cents), 0)::bigint AS fees_cents,
           count(*) - count(fee_cents) AS unpriced
    FROM deal LEFT JOIN price ON price.task_id = deal.task_id
"""


def price(*task_ids: UUID) -> None:
    prices = [(each, 1000 + each.int % 11 * 100, 2000) for each in task_ids]
    handlers.learn_prices([TasksPriced(prices=prices)])


def test_open_tasks_and_their_fees_are_counted_along(cast: Cast) -> None:
    task_ids = many(50, cast.ann)
    price(*task_ids[:30], *task_ids[:5])
    price(*task_ids[:30])
    for task_id in (task_ids[0], task_ids[40]):
        actions.complete_task(task_id, by=held()[task_id], now=NOW)
    actions.withdraw_task(task_ids[1], by=cast.ann.id, now=NOW)
    price(task_ids[40])
    added(cast.bob)
    asked(cast.ann)
    work()

    assert primary.row(reassignments.OPEN) == primary.row(COUNTED)
    assert primary.value(reassignments.OPEN) == 48


def test_prices_and_completions_at_once_are_counted_once(cast: Cast) -> None:
    task_ids = many(200, cast.ann)
    holders = held()

    def complete() -> None:
        for task_id in random.sample(task_ids, 200):
            actions.complete_task(task_id, by=holders[task_id], now=NOW)
        primary.close_quietly()

    def learn() -> None:
        for n in range(0, 150, 10):
            with primary.atomic():
                price(*task_ids[n : n + 10])
        primary.close_quietly()

    threads = [threading.Thread(target=each) for each in (complete, learn)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert primary.row(reassignments.OPEN) == primary.row(COUNTED)
    assert primary.value(reassignments.OPEN) == 0
