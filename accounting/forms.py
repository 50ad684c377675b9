"""Text fields to values, or a sentence at the field."""

from collections.abc import Mapping
from datetime import date

from common.errors import Invalid
from common.say import say


def day_to_close(fields: Mapping[str, str]) -> date:
    """The `day` of the form.  Raises Invalid if it is no date."""
    text = fields.get("day", "").strip()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # ISO 8601 has more ways to write a date than ours
        raise Invalid({"day": say("Please give a day like 2026-01-31.")})
    return day
