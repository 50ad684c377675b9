"""Text fields to values, or a sentence at the field."""

from collections.abc import Mapping
from datetime import date

from common.errors import Invalid


def day_to_close(fields: Mapping[str, str]) -> date:
    """The `day` of the form.  Raises Invalid if it is no date."""
    text = fields.get("day", "").strip()
    try:
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Invalid({"day": "Please give a day like 2026-01-31."})
