"""The time, in one place, so that a test or a demo can hold it still."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_held: list[datetime] = []


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return _held[-1] if _held else datetime.now(UTC)


@contextmanager
def hold(moment: datetime) -> Iterator[None]:
    """It is `moment` in this process until the block ends."""
    _held.append(moment)
    try:
        yield
    finally:
        _held.pop()


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar date on which `moment` falls in `zone`."""
    return moment.astimezone(zone).date()
