"""A letter as a mail: text and HTML from templates, no header that anybody else has written."""

from email import policy
from email.utils import make_msgid
from functools import partial
from typing import Any
from uuid import UUID

import flask_mail
from flask import render_template
from flask_mail import Message

from common import links
from common.config import Config
from common.events import LinkIssued, PayoutMade
from mailer import domain
from mailer.letters import Letter

PLAIN = policy.compat32.clone(linesep="\r\n")
DOMAIN = "letters.task-exchange"

# Flask-Mail gives each message an id at first, and would ask DNS for the host's name each time,
# without a timeout.
flask_mail.make_msgid = partial(make_msgid, domain=DOMAIN)


class Mail(Message):
    """Flask-Mail's message without its second parse of every header, half the work of a letter,
    and with boundaries of its own, for which nobody must search the text.
    """

    def as_bytes(self) -> bytes:
        made = self._message()
        parts = (part for part in made.walk() if part.is_multipart())
        for number, part in enumerate(parts):
            part.set_boundary(f"=_{number}_{self.msgId.strip('<>').partition('@')[0]}")
        return made.as_bytes(policy=PLAIN)


def message_of(letter: Letter, settings: Config) -> Mail:
    """The mail to the one person it is for.  Its Message-ID is the letter's, so that whoever gets
    it twice after a crash can tell.  Needs an app context.  Raises ValueError if the address is
    none.
    """
    if not domain.is_address(letter.email):
        raise ValueError(f"{letter.email!r} is no e-mail address")
    facts = {"letter": letter, **facts_of(letter.about, settings)}
    message = Mail(
        subject=domain.one_line(letter.subject),
        recipients=[letter.email],
        body=render_template(f"mailer/{letter.kind}.txt", **facts),
        html=render_template(f"mailer/{letter.kind}.html", **facts),
        extra_headers={"Auto-Submitted": "auto-generated"},
    )
    message.msgId = message_id(letter.id)
    return message


def facts_of(about: PayoutMade | LinkIssued, settings: Config) -> dict[str, Any]:
    """What the letter's templates tell; the secret of a link exists from here to the mail only."""
    if isinstance(about, PayoutMade):
        return {"paid": about, "url": f"{settings.public_url}/earnings"}
    key = settings.secret_keys[0]
    token = links.token_for(key, about.purpose, about.link_id, about.expires_at)
    return {"link": about, "url": f"{settings.public_url}{links.PATH}{token}"}


def message_id(letter_id: UUID) -> str:
    return f"<{letter_id}@{DOMAIN}>"
