"""The letter with a link: its secret is in the mail and nowhere else, and never late."""

from datetime import timedelta
from uuid import uuid4

import pytest

from common import clock, links
from common.events import LinkIssued, UserAdded
from mailer import handlers
from mailer.models import primary
from mailer.sender import EXPIRED
from tests.mailer.conftest import mails, part, rows, settled


def issued(person_id, purpose="reset", life=timedelta(hours=1), **changes):
    facts = {
        "link_id": uuid4(),
        "user_id": person_id,
        "purpose": purpose,
        "expires_at": clock.now() + life,
    }
    return LinkIssued(**facts | changes)


def heard(*events):
    with primary.atomic():
        handlers.write_links(events)


@pytest.mark.parametrize(
    ("purpose", "subject", "words"),
    [
        ("invitation", "You are invited to Task Exchange", "given access"),
        ("reset", "Choose a new password for Task Exchange", "your password stays as it is"),
    ],
)
def test_a_link_becomes_one_mail_that_holds_it(
    cast, sender, settings, inbox, purpose, subject, words
):
    link = issued(cast.bob.id, purpose)
    heard(link, link)
    heard(link)

    sender.send_due()
    sender.send_due()

    [mail] = mails(inbox)
    token = links.token_for(settings.secret_keys[0], purpose, link.link_id, link.expires_at)
    assert (mail["To"], mail["Subject"]) == (cast.bob.email, subject)
    for kind in ("plain", "html"):
        assert f"{settings.public_url}/account/reset/{token}" in part(mail, kind)
        assert words in part(mail, kind)
        assert "Hello Bob" in part(mail, kind)


def test_the_secret_is_kept_nowhere(cast, client, sender, settings, inbox):
    link = issued(cast.bob.id)
    heard(link)

    sender.send_due()

    token = links.token_for(settings.secret_keys[0], "reset", link.link_id, link.expires_at)
    proof = token[links.ID_LENGTH :]
    page = client("mailer", cast.fay).get("/mail", html=True).text
    assert proof in mails(inbox)[0].as_string().replace("=\n", "")
    assert proof not in primary.value("SELECT json_agg(letter)::text FROM letter") + page


def test_an_expired_link_is_not_sent(cast, sender, inbox):
    heard(issued(cast.bob.id, life=timedelta(seconds=-1)), issued(cast.cat.id))

    sender.send_due()

    assert [mail["To"] for mail in mails(inbox)] == [cast.cat.email]
    errors = {row["state"]: row["error"] for row in rows()}
    assert errors == {"sent": None, "failed": EXPIRED}


def test_nobody_is_told_what_became_of_it(cast, sender):
    heard(issued(cast.bob.id))

    sender.send_due()

    assert settled() == []


def test_a_link_heard_of_before_its_person_waits(clean, sender, inbox):
    person = uuid4()
    heard(issued(person, "invitation"))
    sender.send_due()
    state = {"name": "Gus", "role": "worker", "is_active": True, "user_version": 1}

    with primary.atomic():
        gus = UserAdded(user_id=person, email="gus@example.com", **state)
        handlers.learn_addresses([gus])
    sender.send_due()

    assert [mail["To"] for mail in mails(inbox)] == ["gus@example.com"]
