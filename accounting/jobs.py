"""RQ entry points: wake-ups only; what is due stands in rows."""

from accounting import actions, payouts
from common import clock


def tick() -> None:
    """Days that are over are closed, and every payout run is paid to its end."""
    actions.close_due_days(now=clock.now())
    payouts.pay_all(now=clock.now())
