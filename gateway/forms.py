"""Text fields to typed values, or `{field: sentence}`."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from common.errors import Invalid
from common.roles import ROLES
from common.say import say
from gateway import passwords

NAME_MAX, EMAIL_MAX = 100, 254
WORDS_MAX = 10
EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>,;:\"]+@[^@\s\x00-\x1f\x7f<>,;:\"]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
ACTIVE = {"true": True, "false": False}


class NewUser(NamedTuple):
    """A person to be added; without a password they are invited to choose one."""

    email: str
    name: str
    role: str
    password: str | None = None


def email_problem(email: str) -> str | None:
    is_good = EMAIL.fullmatch(email) and len(email) <= EMAIL_MAX
    return None if is_good else say("Please give an e-mail address like ann@example.com.")


def name_problem(name: str) -> str | None:
    if not name:
        return say("Please give a name.")
    is_good = len(name) <= NAME_MAX and not CONTROL.search(name)
    return (
        None
        if is_good
        else say("A name is one line of at most %(most)s characters.", most=NAME_MAX)
    )


def role_problem(role: str) -> str | None:
    return None if role in ROLES else say("A role is one of %(roles)s.", roles=tuple(ROLES))


def check(problems: Mapping[str, str | None]) -> None:
    """Raises Invalid with those that are there."""
    if found := {field: problem for field, problem in problems.items() if problem}:
        raise Invalid(found)


def new_user(form: Mapping[str, str]) -> NewUser:
    """Raises Invalid."""
    email, name, role = (form.get(field, "").strip() for field in ("email", "name", "role"))
    password = form.get("password") or None
    check(
        {
            "email": email_problem(email),
            "name": name_problem(name),
            "role": role_problem(role),
            "password": password and passwords.problem(password, email=email, name=name),
        }
    )
    return NewUser(email, name, role, password)


def changes(form: Mapping[str, str]) -> dict[str, Any]:
    """Of `name`, `role`, `is_active` those that were sent.  Raises Invalid."""
    sent = {field: form[field].strip() for field in ("name", "role", "active") if field in form}
    active_problem = None if sent.get("active", "true") in ACTIVE else say("Either true or false.")
    check(
        {
            "name": name_problem(sent["name"]) if "name" in sent else None,
            "role": role_problem(sent["role"]) if "role" in sent else None,
            "active": active_problem,
        }
    )
    wanted: dict[str, Any] = {field: sent[field] for field in ("name", "role") if field in sent}
    if "active" in sent:
        wanted["is_active"] = ACTIVE[sent["active"]]
    return wanted


def new_password(form: Mapping[str, str], *, email: str, name: str) -> str:
    """What the person of this address and name may choose.  Raises Invalid."""
    password = form.get("password", "")
    check({"password": passwords.problem(password, email=email, name=name)})
    return password


def given_password(password: str) -> str:
    """What whoever has the machine may give somebody, weak or not.  Raises Invalid."""
    low, high = passwords.GIVEN_MIN, passwords.LENGTH_MAX
    is_good = low <= len(password) <= high
    check(
        {
            "password": None
            if is_good
            else say("A password has %(low)s to %(high)s characters.", low=low, high=high)
        }
    )
    return password


def patterns(text: str) -> list[str]:
    """ILIKE patterns of words that all must occur, the first ten of them."""
    words = text.replace("\x00", "").split()[:WORDS_MAX]
    escaped = [re.sub(r"([\\%_])", r"\\\1", word) for word in words]
    return [f"%{word}%" for word in escaped]


def period(query: Mapping[str, str]) -> tuple[date | None, date | None]:
    """The days `since` and `until`; None: open on that side.  Raises Invalid."""
    wrong: dict[str, str | None] = {}
    found = day(query, "since", wrong), day(query, "until", wrong)
    check(wrong)
    return found


def day(query: Mapping[str, str], name: str, wrong: dict[str, str | None]) -> date | None:
    text = query.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        wrong[name] = say("Write the day as a date, like 2026-01-31.")
        return None
