"""What the tracker does when it hears of people and prices.  Each takes a list."""

from collections.abc import Sequence

from common import chance, clock, people
from common.consume import Handlers
from common.events import TasksPriced, UserAdded, UserChanged
from tracker import runs
from tracker.models import DEALT_TO, deals_held, primary

OUTDATE = f"""
    UPDATE roster SET is_current = false WHERE is_current AND worker_ids <> (SELECT coalesce(
        array_agg(id ORDER BY id), '{{}}') FROM person
        WHERE {DEALT_TO})
"""
LEARN_PRICES = """
    INSERT INTO price (task_id, fee_cents, reward_cents)
    SELECT DISTINCT ON (task_id) * FROM unnest(%s::uuid[], %s::int[], %s::int[])
        AS priced (task_id, fee_cents, reward_cents) ORDER BY task_id
    ON CONFLICT DO NOTHING
"""


def learn_people(events: Sequence[UserAdded | UserChanged]) -> None:
    """The people are known; the next deal is among those dealt to now, and the open tasks of
    those who no longer are will be dealt to others.
    """
    with deals_held():
        people.learn(primary, events)
        primary.run(OUTDATE)
        runs.request_departures(now=clock.now(), seed=chance.new_seed)


def learn_prices(events: Sequence[TasksPriced]) -> None:
    """The tasks show what they cost and pay.  A price is set once for ever."""
    prices = [(str(task_id), fee, reward) for e in events for task_id, fee, reward in e.prices]
    if prices:
        primary.run(LEARN_PRICES, *[list(column) for column in zip(*prices, strict=True)])


HANDLERS: Handlers = {UserAdded: learn_people, UserChanged: learn_people, TasksPriced: learn_prices}
