"""`/mail/preview`: every letter there is, as it would look, about things that never happened."""

from datetime import timedelta
from functools import cache
from uuid import UUID

from flask import Blueprint, Flask, Response, current_app
from markupsafe import Markup

from common import clock
from common.errors import NotFound
from common.events import LinkIssued, PayoutMade
from common.say import say
from common.web import require, respond
from mailer import domain
from mailer.letters import Letter
from mailer.message import Mail, message_of
from mailer.smtp import mail_app

bp = Blueprint("preview", __name__)

KINDS = ("payout", "invitation", "reset")
NOBODY = UUID(int=0)
# An image cannot run or load anything, whatever a letter has in it.
PICTURE = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 460" width="560" height="460">'
    '<foreignObject width="560" height="460"><div xmlns="http://www.w3.org/1999/xhtml"'
    ' style="height:460px;color-scheme:light dark;background:Canvas;color:CanvasText">'
    "{}</div></foreignObject></svg>"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@bp.before_request
def admins_only() -> None:
    require("admin")


@cache
def letter_app() -> Flask:
    """The app by which letters are rendered."""
    return mail_app(current_app.config["EXCHANGE"])


def sample(kind: str) -> Mail:
    """The mail of this kind to Sam Sample."""
    settings, now = current_app.config["EXCHANGE"], clock.now()
    about: PayoutMade | LinkIssued
    if kind == "payout":
        about = PayoutMade(
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
        subject = domain.subject(about)
    else:
        expires_at = now + timedelta(hours=1)
        about = LinkIssued(link_id=NOBODY, user_id=NOBODY, purpose=kind, expires_at=expires_at)  # type: ignore[arg-type]
        subject = domain.LINK_SUBJECTS[kind]
    letter = Letter(
        id=NOBODY,
        kind="payout" if kind == "payout" else "link",
        cause_id=NOBODY,
        subject=subject,
        about=about,
        email="sam@example.com",
        name="Sam Sample",
        attempts=0,
        queued_at=now,
        leased_until=now,
    )
    with letter_app().app_context():
        return message_of(letter, settings)


def of_kind(kind: str) -> Mail:
    """The sample.  Raises NotFound."""
    if kind not in KINDS:
        raise NotFound(say("There is no such letter."))
    return sample(kind)


@bp.get("/mail/preview")
def index() -> Response:
    mails = {kind: sample(kind) for kind in KINDS}
    facts = [
        {"kind": kind, "subject": mail.subject, "text": mail.body, "html": mail.html}
        for kind, mail in mails.items()
    ]
    return respond.page("mailer/preview.html", {"previews": facts})


@bp.get("/mail/preview/<kind>.svg")
def picture(kind: str) -> Response:
    """The HTML as an image: a page of ours may hold no styles of a letter."""
    text = str(of_kind(kind).html)
    body = text[text.index("<div", text.index("<body")) : text.index("</body>")]
    padded = Markup('<div style="padding:24px;font:16px/1.5 system-ui,sans-serif">{}</div>')
    answer = Response(PICTURE.format(padded.format(Markup(body))), mimetype="image/svg+xml")
    answer.headers["Content-Security-Policy"] = POLICY
    return answer


@bp.get("/mail/preview/<kind>.eml")
def file(kind: str) -> Response:
    """The mail itself, for a mail program to open."""
    headers = {"Content-Disposition": f'attachment; filename="{kind}.eml"'}
    mail = of_kind(kind)
    with letter_app().app_context():
        return Response(mail.as_bytes(), mimetype="message/rfc822", headers=headers)
