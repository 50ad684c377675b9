"""The time, in one place, so that a test can hold it still."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar date on which `moment` falls in `zone`."""
    return moment.astimezone(zone).date()
