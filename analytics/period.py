"""From one day to another, as asked for in an address."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from common.errors import Invalid
from common.say import say


class Period(NamedTuple):
    """Days from `since` to `until`, both included; None: open on that side."""

    since: date | None = None
    until: date | None = None

    @classmethod
    def read(cls, args: Mapping[str, str]) -> "Period":
        """Raises Invalid naming what is no date, or an end before its beginning."""
        wrong: dict[str, str] = {}
        found = cls(*(read_day(args, name, wrong) for name in cls._fields))
        if found.since and found.until and found.since > found.until:
            wrong["until"] = say("The last day must not be before the first.")
        if wrong:
            raise Invalid(wrong)
        return found


def read_day(args: Mapping[str, str], name: str, wrong: dict[str, str]) -> date | None:
    text = args.get(name, "").strip()
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        wrong[name] = say("Write the day as a date, like 2026-01-31.")
        return None
