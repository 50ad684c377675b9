"""In which language a person reads: what is kept of it, and what the mailer is told."""

import pytest

from common.events import Envelope
from gateway.models import primary

GUS = {"email": "gus@example.com", "name": "Gus", "role": "worker"}


def kept(email="bob@example.com"):
    return primary.value("SELECT language FROM person WHERE email = %s", email)


def told():
    """What was said of languages, in order."""
    rows = primary.rows("SELECT envelope FROM outbox WHERE type = 'language.chosen' ORDER BY id")
    events = [Envelope.read(row["envelope"]).event() for row in rows]
    return [(event.language, event.language_version) for event in events]


@pytest.fixture
def arrive(browser, people):
    """`arrive("ru")`: Bob's browser, which asks for that language, signed in."""

    def sign_in(accepted):
        found = browser()
        found.csrf = found.get("/login").json["csrf_token"]
        form = {"email": "bob@example.com", "password": "correct horse"}
        assert found.post("/login", form, headers={"Accept-Language": accepted}).status_code == 200
        page = found.get("/account", html=True).text
        found.csrf = page.split('name="csrf_token" value="')[1].split('"')[0]
        return found

    return sign_in


def test_the_first_browser_says_it(arrive):
    arrive("ru-RU, en;q=0.5")

    assert kept() == "ru"
    assert told() == [("ru", 1)]


def test_the_next_browser_changes_nothing(arrive):
    arrive("en")

    arrive("ru")

    assert kept() == "en"
    assert told() == [("en", 1)]


@pytest.mark.parametrize("accepted", ["", "fr", "*", "ru\x00, x" * 50])
def test_a_browser_that_asks_for_none_of_ours_leaves_it_open(arrive, accepted):
    arrive(accepted)

    assert kept() is None
    assert told() == []


def test_a_choice_outweighs_the_browser_and_is_told_once(arrive):
    bob = arrive("en")

    bob.post("/account/language", {"language": "ru"})
    bob.post("/account/language", {"language": "ru"})

    assert kept() == "ru"
    assert told() == [("en", 1), ("ru", 2)]


def test_choosing_none_leaves_it_to_the_next_sign_in(arrive):
    bob = arrive("en")

    bob.post("/account/language", {"language": ""})
    assert kept() is None
    arrive("ru")

    assert kept() == "ru"
    assert told() == [("en", 1), ("ru", 3)]


def test_who_is_not_signed_in_chooses_for_their_browser_alone(browser, people):
    nobody = browser()

    nobody.post("/account/language", {"language": "ru"})

    assert kept() is None
    assert told() == []


def test_an_invitation_is_in_the_inviters_language_until_the_person_has_one(as_person, people):
    fay = as_person(people.fay)

    fay.post("/users", GUS, headers={"Accept-Language": "ru"})

    order = [row["type"] for row in primary.rows("SELECT type FROM outbox ORDER BY id")]
    assert order == ["user.added", "language.chosen", "link.issued"]
    assert told() == [("ru", 0)]
    assert kept(GUS["email"]) is None
