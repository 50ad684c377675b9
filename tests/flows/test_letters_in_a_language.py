"""A person's language, from where it is chosen to the letters that are written to them."""

import email
import email.policy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common import clock
from common.config import Config
from gateway import actions, invitations
from gateway.forms import NewUser
from gateway.limits import Limits
from mailer.sender import Sender
from tests.conftest import Cast
from tests.gateway.conftest import ANONYMOUS

GUS = NewUser("gus@example.com", "Gus", "worker")
PASSWORD = "battery staple"


@pytest.fixture
def last_letter(
    settings: Config, pump: Callable[[], int], inbox: Path
) -> Iterator[Callable[[], Any]]:
    """The last mail that arrived, after everything was published, handled and sent."""
    sender = Sender(settings)

    def look() -> Any:
        pump()
        while sender.send_due():
            pass
        newest = max(inbox.glob("*.eml"))
        return email.message_from_bytes(newest.read_bytes(), policy=email.policy.default)

    yield look
    sender.close()


def forget_password(address: str) -> None:
    limit = Limits(account=100, address=100)
    invitations.ask(address, limit=limit, address="", now=clock.now())


def sign_in(language: str) -> None:
    signed_in = actions.sign_in(
        GUS.email, PASSWORD, language=language, now=clock.now(), **ANONYMOUS
    )
    assert signed_in


def test_a_letter_is_written_in_the_language_of_who_gets_it(
    cast: Cast, last_letter: Callable[[], Any]
) -> None:
    gus = actions.add_user(GUS, now=clock.now(), language="ru")
    invited = last_letter()

    actions.choose_language(gus["id"], "en")
    forget_password(GUS.email)
    in_english = last_letter()

    actions.choose_language(gus["id"], "ru")
    forget_password(GUS.email)
    in_russian = last_letter()

    assert invited["Subject"] == "Вас пригласили в Task Exchange"
    assert "Вам открыли доступ" in invited.get_body(("plain",)).get_content()
    assert in_english["Subject"] == "Choose a new password for Task Exchange"
    assert in_russian["Subject"] == "Новый пароль для Task Exchange"
    assert in_russian["Content-Language"] == "ru"


def test_the_browser_of_the_first_sign_in_is_followed(
    cast: Cast, last_letter: Callable[[], Any]
) -> None:
    actions.add_user(GUS._replace(password=PASSWORD), now=clock.now(), language="en")

    sign_in("ru")
    sign_in("en")
    forget_password(GUS.email)

    assert last_letter()["Subject"] == "Новый пароль для Task Exchange"
