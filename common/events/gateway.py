"""What the gateway says about people."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from common.events.base import Event


class UserAdded(Event, name="user.added", version=1):
    """A person was given access; `user_version` is 1."""

    user_id: UUID
    email: str
    name: str
    role: str
    is_active: bool
    user_version: int


class UserChanged(Event, name="user.changed", version=1):
    """The person's whole state after a change; a listener ignores an older `user_version`."""

    user_id: UUID
    email: str
    name: str
    role: str
    is_active: bool
    user_version: int


class LanguageChosen(Event, name="language.chosen", version=1):
    """A person reads `language` (`en`, `ru`): they chose it, or their browser asked for it as they
    signed in.  Version 0 is a guess, the language of whoever invited them; a listener ignores an
    older `language_version`.
    """

    user_id: UUID
    language: str
    language_version: int


class LinkIssued(Event, name="link.issued", version=1):
    """A person may choose a password until `expires_at`.  The mailer sends them the link, whose
    secret part it computes itself; a newer link of the person's replaces this one.
    """

    link_id: UUID
    user_id: UUID
    purpose: Literal["invitation", "reset"]
    expires_at: datetime
