"""The rules about people, without a database."""

import re
from typing import Any
from uuid import UUID

from common.errors import Conflict
from common.roles import is_dealt_to

HOME = {
    "worker": "/tasks?assignee=me",
    "accountant": "/payout-runs",
    "manager": "/tasks",
    "admin": "/analytics",
}

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrom", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """A User-Agent in words a person knows: `Firefox on Linux`."""
    product = re.match(r"[A-Za-z][\w.-]{0,29}", user_agent)
    otherwise = product.group() if product else "Unknown device"
    browser = next((word for mark, word in BROWSERS if mark in user_agent), otherwise)
    system = next((word for mark, word in SYSTEMS if mark in user_agent), None)
    return f"{browser} on {system}" if system else browser


def check_own_change(before: Any, after: Any, *, by: UUID | None) -> None:
    """Raises Conflict if an admin would demote or deactivate themselves."""
    if before["id"] == by and (after["role"] != before["role"] or not after["is_active"]):
        raise Conflict("You cannot change your own role or deactivate yourself; ask another admin.")


def check_company(before: Any, after: Any, *, dealt_to: int, admins: int) -> None:
    """Raises Conflict if this change leaves nobody to deal tasks to, or no admin."""
    if is_dealt_to(before) and not is_dealt_to(after) and dealt_to == 0:
        raise Conflict("Nobody would be left to deal tasks to; add another worker first.")
    was_admin = before["is_active"] and before["role"] == "admin"
    if was_admin and admins == 0:
        raise Conflict("No admin would be left; make somebody else an admin first.")


def difference(before: Any, after: Any) -> str:
    """A change in words: `ann@example.com: role worker → manager`."""
    shown = ("name", "role", "is_active")
    changes = [
        f"{field} {before[field]} → {after[field]}"
        for field in shown
        if before[field] != after[field]
    ]
    return f"{after['email']}: {', '.join(changes)}"


def closes_sessions(before: Any, after: Any) -> bool:
    """What a session may do was decided at its start: another role needs another one."""
    return before["role"] != after["role"] or (before["is_active"] and not after["is_active"])
