"""The audit log: rows that are only ever added, in the transaction of what they tell."""

from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID

from common import clock
from gateway import forms
from gateway.models import primary

KINDS = (
    "guessing.stopped",
    "link.issued",
    "password.changed",
    "password.chosen",
    "request.made",
    "session.confirmed",
    "session.ended",
    "session.refused",
    "session.started",
    "user.added",
    "user.changed",
)
OBJECT_MAX = 500

ADD = """
    INSERT INTO audit (at, user_id, what, object, address, status, request_id)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


class Origin(NamedTuple):
    """Where the present request comes from."""

    address: str = "command line"
    request_id: str = ""


COMMAND_LINE = Origin()
origin: ContextVar[Origin] = ContextVar("origin", default=COMMAND_LINE)


def note(what: str, object_: str = "", *, by: UUID | None, status: int | None = None) -> None:
    """The log has an entry of this kind, about `object_`; of who, if they are known."""
    assert what in KINDS
    address, request_id = origin.get()
    about = object_.replace("\x00", "")[:OBJECT_MAX]
    primary.run(ADD, clock.now(), by, what, about, address, status, request_id)


def address_of(typed: str) -> str:
    """An e-mail address as it was typed; nothing if it is none, as it may be a password."""
    return typed if forms.EMAIL.fullmatch(typed) else ""
