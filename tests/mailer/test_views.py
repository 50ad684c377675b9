"""The mail page: who may see it, what it shows, and sending a letter again."""

import csv
import io
from email import message_from_bytes
from uuid import uuid4
from xml.etree import ElementTree

import pytest

from common import clock
from mailer import letters
from mailer.models import primary
from tests.mailer.conftest import mails, paid, payout, rows, settled

RUSSIAN = {"Accept-Language": "ru"}


def test_only_admins_see_mail(cast, client):
    for person in cast:
        answer = client("mailer", person).get("/mail")

        assert answer.status_code == (200 if person.role == "admin" else 403)


def test_the_list_shows_each_letter_and_how_far_it_came(cast, client, replayed):
    paid(payout(cast.bob.id))
    replayed()

    facts = client("mailer", cast.fay).get("/mail").json

    assert facts["next"] is None
    [letter] = facts["letters"]
    assert letter == {
        "id": str(rows()[0]["id"]),
        "to": "bob@example.com",
        "subject": "You were paid 123.00 EUR for Friday 20 November",
        "state": "queued",
        "attempts": 0,
        "error": None,
    }


def test_a_subject_is_shown_in_the_language_of_who_looks(cast, client, replayed):
    paid(payout(cast.bob.id))
    replayed()

    page = client("mailer", cast.fay).send("GET", "/mail", html=True, headers=RUSSIAN).text

    assert "Вам выплачено 123,00\xa0EUR за 20 ноября (пт)" in page


def test_the_page_says_how_old_it_is_and_has_a_filter(cast, client, replayed):
    paid(payout(cast.bob.id), payout(uuid4()))
    replayed()

    text = client("mailer", cast.fay).get("/mail?state=unaddressed", html=True).text

    assert "As of" in text
    assert "address not known yet" in text
    assert "bob@example.com" not in text


def test_pages_lead_to_every_letter_once_newest_first(cast, client, replayed):
    paid(*(payout(cast.bob.id) for _ in range(60)))
    replayed()
    fay = client("mailer", cast.fay)

    seen, path = [], "/mail"
    while path:
        facts = fay.get(path).json
        seen += [letter["id"] for letter in facts["letters"]]
        path = facts["next"] and f"/mail?cursor={facts['next']}"

    assert len(seen) == 60
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {str(row["id"]) for row in rows()}


def test_csv_streams_all_that_the_filter_matches(cast, client, replayed):
    paid(*(payout(cast.bob.id) for _ in range(30)), payout(uuid4()))
    replayed()

    text = client("mailer", cast.fay).get("/mail.csv?state=queued").text

    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == 30
    assert list(table[0]) == ["id", "to", "subject", "state", "attempts", "error"]


@pytest.fixture
def sent(cast, sender, inbox):
    paid(payout(cast.bob.id))
    sender.send_due()
    return rows()[0]


def test_a_sent_letter_goes_out_again_as_the_same_mail(cast, client, sent, sender, inbox):
    answer = client("mailer", cast.fay).post(f"/mail/{sent['id']}/resend")
    sender.send_due()

    assert (answer.status_code, answer.json["state"]) == (200, "queued")
    first, second = mails(inbox)
    assert first["Message-ID"] == second["Message-ID"]
    assert settled() == ["sent", "sent"]


def test_asked_twice_a_letter_is_queued_once(cast, client, sent):
    fay = client("mailer", cast.fay)
    fay.post(f"/mail/{sent['id']}/resend")

    answer = fay.post(f"/mail/{sent['id']}/resend")

    assert answer.status_code == 409
    assert answer.json["error"] == "This letter is queued and has yet to go out."


def test_a_letter_in_the_hands_of_a_sender_is_left_to_it(cast, client):
    paid(payout(cast.bob.id))
    letters.lease(clock.now())

    answer = client("mailer", cast.fay).post(f"/mail/{rows()[0]['id']}/resend")

    assert answer.status_code == 409
    assert primary.value("SELECT state FROM letter") == "sending"


def test_only_admins_send_again(cast, client, sent):
    for person in (cast.ann, cast.bob, cast.dan):
        assert client("mailer", person).post(f"/mail/{sent['id']}/resend").status_code == 403
    assert rows()[0]["state"] == "sent"


def test_no_such_letter(cast, client):
    assert client("mailer", cast.fay).post(f"/mail/{uuid4()}/resend").status_code == 404


def test_every_letter_can_be_seen_before_it_is_sent(cast, client):
    fay = client("mailer", cast.fay)

    previews = fay.get("/mail/preview").json["previews"]

    assert [each["kind"] for each in previews] == ["payout", "invitation", "reset"]
    assert previews[0]["subject"].startswith("You were paid 122.50 EUR for ")
    assert "-47.00" in previews[0]["text"].replace("\u2212", "-")
    for each in previews:
        picture = fay.get(f"/mail/preview/{each['kind']}.svg")
        mail = message_from_bytes(fay.get(f"/mail/preview/{each['kind']}.eml").data)
        assert "Sam Sample" in "".join(ElementTree.fromstring(picture.data).itertext())
        assert "default-src 'none'" in picture.headers["Content-Security-Policy"]
        assert mail["To"] == "sam@example.com"
        assert [part.get_content_type() for part in mail.walk()][-2:] == ["text/plain", "text/html"]
    assert fay.get("/mail/preview", html=True).status_code == 200
    assert fay.get("/mail/preview/nothing.svg").status_code == 404
    assert fay.get("/mail/preview/nothing.eml").status_code == 404
    for person in (cast.ann, cast.bob, cast.dan):
        for path in ("/mail/preview", "/mail/preview/payout.svg", "/mail/preview/payout.eml"):
            assert client("mailer", person).get(path).status_code == 403


@pytest.mark.parametrize(
    ("asked", "path", "language"),
    [
        ("en", "/mail/preview", "en"),
        ("ru", "/mail/preview", "ru"),
        ("en", "/mail/preview?language=ru", "ru"),
        ("ru", "/mail/preview?language=en", "en"),
        ("ru", "/mail/preview?language=xx", "ru"),
    ],
)
def test_letters_can_be_seen_in_every_language(cast, client, asked, path, language):
    fay, headers = client("mailer", cast.fay), {"Accept-Language": asked}

    previews = fay.send("GET", path, headers=headers).json["previews"]
    page = fay.send("GET", path, html=True, headers=headers).text
    picture = fay.send("GET", path.replace("preview", "preview/reset.svg"), headers=headers).text
    mail = fay.send("GET", path.replace("preview", "preview/reset.eml"), headers=headers).data

    assert {"en": "Hello Sam", "ru": "Здравствуйте, Sam"}[language] in previews[0]["text"]
    assert f'<html lang="{asked}">' in page
    assert f'reset.svg?language={language}"' in page
    assert f'language={language}" aria-current="page"' in page
    assert f'lang="{language}"' in picture
    assert message_from_bytes(mail)["Content-Language"] == language
