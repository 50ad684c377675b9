"""The environment, read once into a frozen value that complains in a sentence."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from zoneinfo import ZoneInfo

from common.errors import Misconfigured

REDIS = ("redis://", "rediss://", "unix://", "sentinel://")


@dataclass(frozen=True)
class Config:
    """What the environment says.  Every accessor raises Misconfigured naming the variable."""

    env: Mapping[str, str] = field(repr=False)

    def need(self, name: str) -> str:
        value = self.env.get(name, "").strip()
        if not value:
            raise Misconfigured(f"{name} is not set; see the environment table in the README.")
        return value

    def get(self, name: str, default: str = "") -> str:
        return self.env.get(name, "").strip() or default

    def database_url(self, service: str) -> str:
        return self.postgres(f"{service.upper()}_DATABASE_URL")

    def direct_url(self, service: str) -> str:
        """The primary itself, where `database_url` may lead through PgBouncer."""
        name = f"{service.upper()}_DIRECT_URL"
        return self.postgres(name) if self.get(name) else self.database_url(service)

    def replica_url(self, service: str) -> str:
        return self.postgres(f"{service.upper()}_REPLICA_URL")

    def report_url(self, service: str) -> str:
        return self.postgres(f"ANALYTICS_{service.upper()}_URL")

    def service_url(self, service: str) -> str:
        return self.url(f"{service.upper()}_URL", ("http://", "unix:"))

    @property
    def public_url(self) -> str:
        return self.url("EXCHANGE_URL", ("http://", "https://")).rstrip("/")

    @property
    def bus_url(self) -> str:
        return self.url("BUS_URL", REDIS)

    @property
    def queue_url(self) -> str:
        return self.url("QUEUE_URL", REDIS)

    @property
    def timezone(self) -> ZoneInfo:
        name = self.get("EXCHANGE_TIMEZONE", "UTC")
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise Misconfigured(
                f"EXCHANGE_TIMEZONE is {name!r} and must name a time zone, like Europe/Berlin."
            ) from None

    @property
    def currency(self) -> str:
        return self.get("EXCHANGE_CURRENCY", "EUR")

    @property
    def fee_range(self) -> tuple[int, int]:
        return self.range("EXCHANGE_FEE_RANGE", "10-20")

    @property
    def reward_range(self) -> tuple[int, int]:
        return self.range("EXCHANGE_REWARD_RANGE", "20-40")

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """Newest first; all of them verify, the first one signs."""
        keys = (self.need("EXCHANGE_SECRET_KEY"), self.get("EXCHANGE_SECRET_KEY_PREVIOUS"))
        return tuple(key for key in keys if key)

    def postgres(self, name: str) -> str:
        return self.url(name, ("postgresql://",))

    def url(self, name: str, schemes: tuple[str, ...]) -> str:
        value = self.need(name)
        if not value.startswith(schemes):
            raise Misconfigured(f"{name} must begin with {' or '.join(schemes)}.")
        return value

    def integer(self, name: str, default: int) -> int:
        value = self.get(name, str(default))
        if not value.isdigit():
            raise Misconfigured(f"{name} is {value!r} and must be a whole number.")
        return int(value)

    def range(self, name: str, default: str) -> tuple[int, int]:
        """Whole currency units, both ends included."""
        low, _, high = self.get(name, default).partition("-")
        if not (low.isdigit() and high.isdigit() and 0 < int(low) <= int(high) <= 1_000_000):
            raise Misconfigured(
                f"{name} must be two whole numbers, the lower first, like {default}."
            )
        return int(low), int(high)


@cache
def current() -> Config:
    """The process's configuration."""
    return Config(dict(os.environ))
