"""How often a password may be guessed: counters in our own database, so that they hold without
Redis, taken before the password is looked at, so that a thousand at once are no way around them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from common.config import Config
from common.errors import Refused
from common.say import say_many
from gateway import trail
from gateway.models import primary

WINDOW = timedelta(minutes=15)

TIDY = """
    DELETE FROM guess WHERE subject IN
        (SELECT subject FROM guess WHERE until <= %s FOR UPDATE SKIP LOCKED)
"""
SUBJECT = "sha256(convert_to(lower(%s), 'UTF8'))"
TAKE = f"""
    INSERT INTO guess (subject, tries, until) VALUES ({SUBJECT}, 1, %s)
    ON CONFLICT (subject) DO UPDATE SET
        tries = CASE WHEN guess.until <= %s THEN 1 ELSE guess.tries + 1 END,
        until = CASE WHEN guess.until <= %s THEN excluded.until ELSE guess.until END
    RETURNING tries, until
"""
FORGET = f"DELETE FROM guess WHERE subject = {SUBJECT}"
GIVE_BACK = f"UPDATE guess SET tries = tries - 1 WHERE tries > 0 AND subject = {SUBJECT}"


class TooMany(Refused):
    """There is no try left for `wait_s` seconds."""

    status = 429

    def __init__(self, wait: timedelta) -> None:
        self.wait_s = max(1, ceil(wait.total_seconds()))
        minutes = ceil(self.wait_s / 60)
        super().__init__(
            say_many(
                "That was tried too often; please wait a minute and try again.",
                "That was tried too often; please wait %(n)s minutes and try again.",
                n=minutes,
            )
        )


@dataclass(frozen=True)
class Limits:
    """How many tries an account and an address have in a quarter of an hour."""

    account: int
    address: int

    @classmethod
    def read(cls, settings: Config) -> "Limits":
        return cls(
            account=settings.integer("EXCHANGE_LOGIN_FAILURES_ACCOUNT", 10),
            address=settings.integer("EXCHANGE_LOGIN_FAILURES_ADDRESS", 50),
        )

    def take(self, kind: str, account: str, address: str, *, now: datetime) -> None:
        """One try of `kind` is used up, whether there is such an account or not.  Raises TooMany
        if there was none left.
        """
        primary.run(TIDY, now)
        # The address first: past its limit it makes no more rows for accounts of its invention.
        tries = (of_address(kind, address), self.address), (of_account(kind, account), self.account)
        for subject, most in tries:
            row = primary.row(TAKE, subject, now + WINDOW, now, now)
            assert row
            if row["tries"] > most:
                if row["tries"] == most + 1:
                    trail.note("guessing.stopped", trail.address_of(account), by=None)
                raise TooMany(row["until"] - now)


def succeeded(kind: str, account: str, address: str) -> None:
    """The account's tries are forgotten, and the address has back the one it used."""
    forget(kind, account)
    primary.run(GIVE_BACK, of_address(kind, address))


def forget(kind: str, account: str) -> None:
    """The account has all its tries again."""
    primary.run(FORGET, of_account(kind, account))


def of_account(kind: str, account: str) -> str:
    return f"{kind} account {account}".replace("\x00", "")


def of_address(kind: str, address: str) -> str:
    return f"{kind} address {network_of(address)}"


def network_of(address: str) -> str:
    """What one subscriber has: an IPv4 address, or the 64 bits an IPv6 address begins with."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return str(found)
