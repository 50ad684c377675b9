"""Each letter as it is read: the same words as text and as HTML, in the person's language."""

import email.policy
import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from uuid import UUID, uuid4
from xml.etree import ElementTree

import pytest
from flask_babel import force_locale

from common.events import LinkIssued
from common.say import say
from common.web import language
from mailer import wording
from mailer.letters import Letter
from mailer.message import message_of
from mailer.smtp import mail_app
from tests.mailer.conftest import payout

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
XHTML = "{http://www.w3.org/1999/xhtml}"
# What is the same in every language.
NAMES = r"Task Exchange|Bob|EUR|UTC|https?://\S+"

PAYOUT_EN = """\
Hello Bob,

You were paid 1,123.00 EUR for Friday 20 November.

  Carried over           −5.00 EUR
  Rewards             1,143.00 EUR
  Fees                  −15.00 EUR
  Paid out            1,123.00 EUR

See every transfer:
{url}

Task Exchange
{home}"""
PAYOUT_RU = """\
Здравствуйте, Bob!

Вам выплачено 1 123,00 EUR за 20 ноября (пт).

  Перенесено             −5,00 EUR
  Вознаграждения      1 143,00 EUR
  Комиссии              −15,00 EUR
  Выплачено           1 123,00 EUR

Посмотреть все операции:
{url}

Task Exchange
{home}"""
INVITATION_EN = """\
Hello Bob,

You have been given access to Task Exchange.

Choose your password:
{url}

The link works once, within 7 days: until Sunday 29 November, 09:30 UTC.

After that, “Forgotten your password?” on the sign-in page sends another.

Task Exchange
{home}"""
INVITATION_RU = """\
Здравствуйте, Bob!

Вам открыли доступ к Task Exchange.

Придумать пароль:
{url}

Ссылка одноразовая и действует 7 дней: до 29 ноября (вс), 09:30 UTC.

После этого новую пришлёт ссылка «Забыли пароль?» на странице входа.

Task Exchange
{home}"""
RESET_EN = """\
Hello Bob,

You asked for a new password for Task Exchange.

Choose a new password:
{url}

The link works once, within 1 hour: until Sunday 22 November, 10:30 UTC.

If it was not you who asked, do nothing: your password stays as it is.

Task Exchange
{home}"""
RESET_RU = """\
Здравствуйте, Bob!

Вы запросили новый пароль для Task Exchange.

Придумать новый пароль:
{url}

Ссылка одноразовая и действует 1 час: до 22 ноября (вс), 10:30 UTC.

Если запрашивали не вы, ничего не делайте: пароль останется прежним.

Task Exchange
{home}"""
LETTERS = {
    ("payout", "en"): ("You were paid 1,123.00 EUR for Friday 20 November", PAYOUT_EN),
    ("payout", "ru"): ("Вам выплачено 1 123,00 EUR за 20 ноября (пт)", PAYOUT_RU),
    ("invitation", "en"): ("You are invited to Task Exchange", INVITATION_EN),
    ("invitation", "ru"): ("Вас пригласили в Task Exchange", INVITATION_RU),
    ("reset", "en"): ("Choose a new password for Task Exchange", RESET_EN),
    ("reset", "ru"): ("Новый пароль для Task Exchange", RESET_RU),
}


def link(purpose, life):
    return LinkIssued(link_id=uuid4(), user_id=uuid4(), purpose=purpose, expires_at=NOW + life)


def about(kind):
    match kind:
        case "payout":
            return payout(uuid4(), rewards_cents=114300, amount_cents=112300)
        case "invitation":
            return link(kind, timedelta(days=7))
    return link(kind, timedelta(hours=1))


@pytest.fixture
def mail(settings):
    """`mail("payout", "ru")`: the letter to Bob."""

    def write(kind, language):
        letter = Letter(
            id=UUID(int=1),
            kind="payout" if kind == "payout" else "link",
            cause_id=uuid4(),
            about=about(kind),
            email="bob@example.com",
            name="Bob",
            language=language,
            attempts=0,
            queued_at=NOW,
            leased_until=NOW,
        )
        with mail_app(settings).app_context():
            return message_of(letter, settings)

    return write


def spaced(text):
    return text.replace("\xa0", " ")


def words(html):
    """What a reader of the HTML sees, piece by piece; the sign before our name is no word."""
    page = ElementTree.fromstring(html[html.index("<html") :])
    said = page.find(f"{XHTML}body").itertext()
    return [piece for piece in said if piece.strip() not in ("", "⇄")]


def leads_to(html):
    return re.findall(r'href="([^"]+)"', html)


@pytest.mark.parametrize(("kind", "language"), LETTERS)
def test_a_letter_says_exactly_this(mail, settings, kind, language):
    subject, text = LETTERS[kind, language]

    made = mail(kind, language)

    url = leads_to(made.html)[0]
    assert spaced(made.subject) == subject
    assert spaced(made.body) == text.format(url=url, home=settings.public_url)
    assert f'lang="{language}"' in made.html
    assert made.extra_headers["Content-Language"] == language


@pytest.mark.parametrize(("kind", "language"), LETTERS)
def test_as_a_mail_it_fits_the_lines_that_mail_has(mail, settings, kind, language):
    made = mail(kind, language)

    with mail_app(settings).app_context():
        sent = made.as_bytes()

    parsed = message_from_bytes(sent, policy=email.policy.default)
    head, _, body = sent.partition(b"\r\n\r\n")
    assert (parsed["Subject"], parsed["To"]) == (made.subject, "bob@example.com")
    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert max(map(len, body.split(b"\r\n"))) <= 998
    assert len(sent) < 8_000


@pytest.mark.parametrize(("kind", "language"), LETTERS)
def test_its_html_says_the_same_and_leads_to_the_same(mail, settings, kind, language):
    made = mail(kind, language)

    urls = leads_to(made.html)
    as_text = [
        piece.rstrip(":")
        for line in made.body.splitlines()
        for piece in re.split("  +", line.strip())
        if piece
    ]
    assert sorted(as_text) == sorted([*words(made.html), urls[0]])
    assert urls[1:] == [settings.public_url]


@pytest.mark.parametrize("kind", ["payout", "invitation", "reset"])
def test_nothing_of_a_russian_letter_is_in_english(mail, kind):
    made = mail(kind, "ru")

    for text in (made.subject, made.body, *words(made.html)):
        assert re.findall("[A-Za-z]+", re.sub(NAMES, "", text)) == []


@pytest.mark.parametrize("language", ["de", "", "en\r\nBcc: all@example.com"])
def test_a_language_that_is_none_of_ours_is_english(mail, language):
    made = mail("reset", language)

    assert made.subject == LETTERS["reset", "en"][0]
    assert made.extra_headers["Content-Language"] == "en"


@pytest.mark.parametrize(
    ("life", "english", "russian"),
    [
        (timedelta(minutes=20), "1 hour", "1 час"),
        (timedelta(hours=3), "3 hours", "3 часа"),
        (timedelta(hours=21), "21 hours", "21 час"),
        (timedelta(days=2), "2 days", "2 дня"),
        (timedelta(days=5), "5 days", "5 дней"),
    ],
)
def test_how_long_a_link_is_good_for_has_its_endings(settings, life, english, russian):
    sentence = wording.life(NOW + life, NOW)

    with mail_app(settings).app_context(), force_locale("ru"):
        told = language.translated(sentence)

    assert f"within {english}:" in sentence
    assert f"действует {russian}:" in told


def test_values_are_spelled_alike_for_logs_and_for_english_readers(settings):
    sentence = say("%(amount)s, %(day)s, %(at)s", amount=wording.Money(-123450, "EUR"),
                   day=wording.Day(NOW.date()), at=wording.Moment(NOW))  # fmt: skip

    with mail_app(settings).app_context():
        told = language.translated(sentence)

    assert told == sentence == "−1,234.50 EUR, Sunday 22 November, Sunday 22 November, 09:30 UTC"
