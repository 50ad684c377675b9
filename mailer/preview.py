"""`/mail/preview`: every letter there is, as it would look, about things that never happened."""

from datetime import datetime, timedelta
from functools import cache
from typing import Literal, cast
from uuid import UUID

from flask import Blueprint, Flask, Response, current_app, request

from common import clock
from common.errors import NotFound
from common.events import LinkIssued, PayoutMade
from common.web import language, require, respond
from mailer.letters import Letter
from mailer.message import Mail, message_of
from mailer.smtp import mail_app

bp = Blueprint("preview", __name__)

# Every kind of letter, and how long what it leads to is good for.
KINDS = {"payout": timedelta.max, "invitation": timedelta(days=7), "reset": timedelta(hours=1)}
NOBODY = UUID(int=0)
# An image can run and load nothing, whatever a letter has in it.  As wide as the page has room.
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="100%">'
    '<foreignObject width="100%" height="100%">{}</foreignObject></svg>'
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@bp.before_request
def admins_only() -> None:
    require("admin")


@cache
def letter_app() -> Flask:
    """The app by which letters are rendered."""
    return mail_app(current_app.config["EXCHANGE"])


def language_asked() -> str:
    """The one in the address, or that of the page."""
    asked = request.args.get("language")
    return asked if asked in language.LANGUAGES else language.language()


def example(kind: str, now: datetime) -> PayoutMade | LinkIssued:
    """An event that never happened."""
    settings = current_app.config["EXCHANGE"]
    if kind == "payout":
        return PayoutMade(
            payout_id=NOBODY,
            payout_run_id=NOBODY,
            worker_id=NOBODY,
            day=clock.day_of(now, settings.timezone) - timedelta(days=1),
            carried_cents=-1250,
            fees_cents=4700,
            rewards_cents=18200,
            amount_cents=12250,
            currency=settings.currency,
            paid_at=now,
        )
    ends, purpose = now + KINDS[kind], cast(Literal["invitation", "reset"], kind)
    return LinkIssued(link_id=NOBODY, user_id=NOBODY, purpose=purpose, expires_at=ends)


def sample(kind: str) -> Mail:
    """The mail of this kind to Sam Sample.  Raises NotFound."""
    if kind not in KINDS:
        raise NotFound("There is no such letter.")
    now = clock.now()
    letter = Letter(
        id=NOBODY,
        kind="payout" if kind == "payout" else "link",
        cause_id=NOBODY,
        about=example(kind, now),
        email="sam@example.com",
        name="Sam Sample",
        language=language_asked(),
        attempts=0,
        queued_at=now,
        leased_until=now,
    )
    settings = current_app.config["EXCHANGE"]
    with letter_app().app_context():
        return message_of(letter, settings)


@bp.get("/mail/preview")
def index() -> Response:
    mails = {kind: sample(kind) for kind in KINDS}
    facts = [
        {"kind": kind, "subject": mail.subject, "text": mail.body, "html": mail.html}
        for kind, mail in mails.items()
    ]
    shown = language_asked()
    tabs = [
        (f"/mail/preview?language={code}", name, code == shown)
        for code, name in language.LANGUAGES.items()
    ]
    return respond.page("mailer/preview.html", {"previews": facts}, shown=shown, tabs=tabs)


@bp.get("/mail/preview/<kind>.svg")
def picture(kind: str) -> Response:
    """The HTML as an image: a page of ours may hold no styles of a letter."""
    text = str(sample(kind).html)
    image = PICTURE.format(text[text.index("<html") :])
    answer = Response(image, mimetype="image/svg+xml")
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@bp.get("/mail/preview/<kind>.eml")
def file(kind: str) -> Response:
    """The mail itself, for a mail program to open."""
    headers = {"Content-Disposition": f'attachment; filename="{kind}.eml"'}
    mail = sample(kind)
    with letter_app().app_context():
        return Response(mail.as_bytes(), mimetype="message/rfc822", headers=headers)
