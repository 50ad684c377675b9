"""`/mail`: every letter and how far it came."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request

from common import clock
from common.say import say, word
from common.web import paging, reading, require, respond
from mailer import letters, models

bp = Blueprint("mailer", __name__)

HEADER = ["id", "to", "subject", "state", "attempts", "error"]


@bp.before_request
def admins_only() -> None:
    require("admin")


def asked_state() -> str | None:
    state = request.args.get("state")
    return state if state in models.STATES else None


@bp.get("/mail")
def index() -> Response:
    state, r = asked_state(), reading(models.store)
    rows, following = paging.cut(models.page(r.db, state, paging.asked(UUID), paging.SIZE + 1))
    count = models.count(r.db, state, paging.COUNT_MAX + 1)
    facts = {"letters": [letters.shown(row) for row in rows], "next": following}
    choices = [("", say("Any")), *((each, word(each)) for each in models.STATES)]
    extra: dict[str, Any] = {"state": state, "choices": choices, "count": count}
    return respond.page("mailer/index.html", facts, **extra, **r.age)


@bp.get("/mail.csv")
def table() -> Response:
    r = reading(models.store)
    rows = map(letters.shown, models.every(r.db, asked_state()))
    return respond.csv_stream("mail.csv", HEADER, rows)


@bp.post("/mail/<uuid:letter_id>/resend")
def resend(letter_id: UUID) -> Response:
    letter = letters.resend(letter_id, now=clock.now())
    return respond.done("/mail", letter, message=say("The letter will go out again."))
