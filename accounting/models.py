"""Accounting's database, its accounts, and the terms it works under."""

from dataclasses import dataclass, field
from uuid import UUID
from zoneinfo import ZoneInfo

from common.config import Config
from common.outbox import Outbox
from common.store import Store

store = Store("accounting")
primary, replica = store.primary, store.replica
outbox = Outbox(primary, "accounting")

INCOME, EXPENSE, CASH = (UUID(int=number) for number in (1, 2, 3))


@dataclass(frozen=True)
class Terms:
    """What the environment says of money and days.  Ranges are whole units, ends included."""

    fees: tuple[int, int] = (10, 20)
    rewards: tuple[int, int] = (20, 40)
    currency: str = "EUR"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


class Agreed:
    """The terms of this process, set once when it starts."""

    terms = Terms()


def agree(settings: Config) -> None:
    """The terms are those of the configuration.  Raises Misconfigured."""
    Agreed.terms = Terms(
        fees=settings.fee_range,
        rewards=settings.reward_range,
        currency=settings.currency,
        zone=settings.timezone,
    )
