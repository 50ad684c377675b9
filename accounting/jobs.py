"""RQ entry points: wake-ups only; what is due stands in rows."""

from accounting import actions, payouts, verify
from common import clock


def tick() -> None:
    """Days that are over are closed, every payout run is paid to its end, and the books have been
    compared with themselves.
    """
    actions.close_due_days(now=clock.now())
    payouts.pay_all(now=clock.now())
    verify.verify_after_closing(now=clock.now())
