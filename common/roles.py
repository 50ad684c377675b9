"""The roles, and which of them tasks are dealt to."""

from typing import Any

ROLES = ("worker", "accountant", "manager", "admin")
DEALT_TO = ("worker", "accountant")


def is_dealt_to(person: Any) -> bool:
    """Active people of any role but manager and admin are dealt to."""
    return person["is_active"] and person["role"] in DEALT_TO
