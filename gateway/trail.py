"""The audit log: rows that are only ever added, in the transaction of what they tell."""

import logging
from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID

from common import clock
from common.db import LOOK_S, LOST, deadline
from common.errors import Forbidden
from gateway import forms
from gateway.models import primary
from gateway.sessions import Session

KINDS = (
    "guessing.stopped",
    "link.requested",
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
FAILED_S = 0.5
NOTED = ("admin", "manager", "accountant")

log = logging.getLogger("audit")

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


def note_request(caller: Session, method: str, path: str, status: int) -> None:
    """What somebody with a say sent to a service, and how it ended, is noted if it can be: it has
    happened already, in another database.  Whoever heard of a failure has waited for it already.
    Of anybody else it is noted what they were refused.
    """
    if method != "POST" or (caller.role not in NOTED and status != Forbidden.status):
        return
    try:
        with deadline(FAILED_S if status >= 500 else LOOK_S), primary.atomic():
            note("request.made", f"{method} {path}", by=caller.user_id, status=status)
    except LOST as error:
        log.error("%s %s by %s is missing in the audit log: %s", method, path, caller.id, error)
        primary.close_quietly()


def address_of(typed: str) -> str:
    """An e-mail address as it was typed; nothing if it is none, as it may be a password."""
    return typed if forms.EMAIL.fullmatch(typed) else ""
