"""A letter as a mail: text and HTML of the same words, no header that anybody else has written."""

from email import policy
from email.header import Header
from email.utils import make_msgid
from functools import partial
from typing import Any
from uuid import UUID

import flask_mail
from flask import render_template
from flask_babel import force_locale
from flask_mail import Message

from common import links
from common.config import Config
from common.events import LinkIssued, PayoutMade
from common.say import say
from common.web.language import LANGUAGES, translated
from mailer import domain, wording
from mailer.letters import Letter

DOMAIN = "letters.task-exchange"
LINE_MAX = 78  # RFC 5322, 2.1.1

# Flask-Mail gives each message an id at first, and would ask DNS for the host's name each time,
# without a timeout.
flask_mail.make_msgid = partial(make_msgid, domain=DOMAIN)


class Plain(policy.Compat32):
    """Headers that fit on their line go out as they are, not through a search for words to encode
    and places to break.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        line = f"{name}: {value}"
        if len(line) <= LINE_MAX and line.isascii() and line.isprintable():
            return f"{line}{self.linesep}".encode()
        return super().fold_binary(name, value)


PLAIN = Plain(linesep="\r\n")


class Mail(Message):
    """Flask-Mail's message without its second parse of every header, half the work of a letter,
    with boundaries of its own, for which nobody must search the text, and with a subject that
    begins on the line of its name in any script.
    """

    def as_bytes(self) -> bytes:
        made = self._message()
        made.policy = PLAIN
        made.replace_header("Subject", Header(self.subject, header_name="Subject").encode())
        parts = (part for part in made.walk() if part.is_multipart())
        for number, part in enumerate(parts):
            part.set_boundary(f"=_{number}_{self.msgId.strip('<>').partition('@')[0]}")
        return made.as_bytes()


def message_of(letter: Letter, settings: Config) -> Mail:
    """The mail to the one person it is for, in their language.  Its Message-ID is the letter's, so
    that whoever gets it twice after a crash can tell.  Needs an app context.  Raises ValueError if
    the address is none.
    """
    if not domain.is_address(letter.email):
        raise ValueError(f"{letter.email!r} is no e-mail address")
    language = letter.language if letter.language in LANGUAGES else "en"
    facts = {
        "greeting": say("Hello %(name)s,", name=letter.name),
        "letter": wording.wording(letter.about, letter.queued_at),
        "url": address_of(letter.about, settings),
        "home": settings.public_url,
    }
    with force_locale(language):
        subject = domain.one_line(translated(wording.subject(letter.about)))
        message = Mail(
            subject=subject,
            recipients=[letter.email],
            body=render_template("mailer/letter.txt", **facts),
            html=render_template("mailer/letter.html", subject=subject, **facts),
            extra_headers={"Auto-Submitted": "auto-generated", "Content-Language": language},
        )
    message.msgId = message_id(letter.id)
    return message


def address_of(about: PayoutMade | LinkIssued, settings: Config) -> str:
    """Where the letter leads to; the secret of a link exists from here to the mail only."""
    if isinstance(about, PayoutMade):
        return f"{settings.public_url}/earnings"
    key = settings.secret_keys[0]
    token = links.token_for(key, about.purpose, about.link_id, about.expires_at)
    return f"{settings.public_url}{links.PATH}{token}"


def message_id(letter_id: UUID) -> str:
    return f"<{letter_id}@{DOMAIN}>"
