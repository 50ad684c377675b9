"""Accounting's part in the demo company's history."""

from contextlib import suppress
from datetime import datetime

from accounting import actions, books, payouts
from common.demo import DAYS
from common.errors import Conflict


def play(step: int, phase: str, moment: datetime) -> None:
    """Every evening but the last its day is paid out."""
    day = books.today(moment)
    if phase == "evening" and step < DAYS - 1:
        with suppress(Conflict):  # a demo cut off half way is played again
            actions.close_day(day, by=None, now=moment)
        payouts.pay_all(now=moment)
