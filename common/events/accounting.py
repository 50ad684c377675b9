"""What accounting says about prices and payouts."""

from datetime import date, datetime
from uuid import UUID

from common.events.base import Event


class TasksPriced(Event, name="tasks.priced", version=1):
    """Prices set once for ever: `[task_id, fee_cents, reward_cents]`, up to 1,000 a batch."""

    prices: list[tuple[UUID, int, int]]


class PayoutMade(Event, name="payout.made", version=1):
    """A worker was paid for a business day.  `amount_cents` = `carried_cents` + `rewards_cents`
    - `fees_cents`, all of them net of reversals.
    """

    payout_id: UUID
    payout_run_id: UUID
    worker_id: UUID
    day: date
    carried_cents: int
    fees_cents: int
    rewards_cents: int
    amount_cents: int
    currency: str
    paid_at: datetime
