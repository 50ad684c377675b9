"""Links to choose a password: a person has one at most, for an invitation or a forgotten one.

Whatever is wrong with a link, the answer is one sentence, so that it tells nothing of anybody.
"""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

from common import links
from common.db import Row
from common.errors import NotFound
from common.events import LinkIssued
from common.say import say
from gateway import limits, passwords, sessions, trail
from gateway.limits import Limits
from gateway.models import outbox, primary

LIFE = {"invitation": timedelta(days=7), "reset": timedelta(hours=1)}

ISSUE = """
    INSERT INTO link (user_id, purpose, expires_at) VALUES (%s, %s, %s)
    ON CONFLICT (user_id) DO UPDATE SET
        id = new_id(), purpose = excluded.purpose, expires_at = excluded.expires_at
    RETURNING id
"""
OPEN = """
    SELECT link.id, purpose, expires_at, user_id, email, name
    FROM link JOIN person ON person.id = user_id
    WHERE link.id = %s AND expires_at > %s AND is_active
"""


class NoLink(NotFound):
    """Not ours, used, replaced or too old: nobody is told which."""

    def __init__(self) -> None:
        super().__init__(
            say("This link opens nothing any more: it was used, is old, or there is a newer one.")
        )


def issue(user_id: UUID, purpose: Literal["invitation", "reset"], *, now: datetime) -> None:
    """A link is on its way to the person, and no older one is good.  In a transaction."""
    expires_at = now + LIFE[purpose]
    link_id = primary.value(ISSUE, user_id, purpose, expires_at)
    outbox.add(LinkIssued(link_id=link_id, user_id=user_id, purpose=purpose, expires_at=expires_at))


def ask(email: str, *, limit: Limits, address: str, now: datetime) -> None:
    """Whoever has access under this address is sent a link.  For anybody else the same is done and
    undone, so that it takes the same time.  Raises TooMany.
    """
    limit.take("link", email, address, now=now)
    with primary.atomic():
        trail.note("link.requested", trail.address_of(email), by=None)
        known = "SELECT id FROM person WHERE lower(email) = lower(%s) AND is_active"
        user_id = primary.value(known, email.replace("\x00", ""))
        with primary.atomic() as step:
            issue(user_id or uuid4(), "reset", now=now)
            if user_id is None:
                step.rollback()


def open_link(token: str, secret_keys: tuple[str, ...], *, now: datetime) -> Row:
    """The link, and the e-mail address and name of whom it is for.  Raises NoLink."""
    link = primary.row(OPEN, links.id_of(token), now)
    if link is None:
        raise NoLink
    facts = (link["purpose"], link["id"], link["expires_at"])
    if not links.matches(secret_keys, token, *facts):
        raise NoLink
    return link


def choose_password(link: Row, password: str) -> None:
    """The password is this one, the link is used up, and the person is signed out everywhere.
    Raises NoLink if another was faster.
    """
    password_hash = passwords.digest(password)
    with primary.atomic():
        if not primary.run("DELETE FROM link WHERE id = %s", link["id"]):
            raise NoLink
        change = "UPDATE person SET password_hash = %s WHERE id = %s"
        primary.run(change, password_hash, link["user_id"])
        sessions.end_all(link["user_id"])
        limits.forget("sign-in", link["email"])
        trail.note("password.chosen", link["purpose"], by=link["user_id"])


def withdraw(user_id: UUID) -> None:
    """The person has no link.  In a transaction."""
    primary.run("DELETE FROM link WHERE user_id = %s", user_id)
