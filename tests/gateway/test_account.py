"""A person's own page: their password and where they are signed in."""

from uuid import uuid4

import pytest

from common import clock
from gateway import actions, domain
from gateway.models import primary
from tests.gateway.conftest import ANONYMOUS, PASSWORD

NEW = "battery staple"


def test_a_new_password_replaces_the_old_and_ends_the_other_sessions(as_person, browser, people):
    here, there = as_person(people.bob), as_person(people.bob)

    answer = here.post("/account/password", {"current": PASSWORD, "password": NEW}, html=True)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/account")
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 401
    assert browser().sign_in(people.bob.email, PASSWORD).status_code == 401
    assert browser().sign_in(people.bob.email, NEW).status_code == 200


@pytest.mark.parametrize(
    ("current", "password", "field"),
    [("wrong", NEW, "current"), (PASSWORD, "short", "password"), ("", "", "password")],
)
def test_a_password_that_cannot_be_changed_says_why(as_person, people, current, password, field):
    bob = as_person(people.bob)
    form = {"current": current, "password": password}

    as_json = bob.post("/account/password", form)
    as_page = bob.post("/account/password", form, html=True)

    assert (as_json.status_code, as_page.status_code) == (422, 422)
    assert list(as_json.json["fields"]) == [field]
    assert f'id="field-{field}-error"' in as_page.text


def test_a_change_sent_twice_changes_once(as_person, people):
    bob = as_person(people.bob)
    form = {"current": PASSWORD, "password": NEW}

    first, second = bob.post("/account/password", form), bob.post("/account/password", form)

    assert (first.status_code, second.status_code) == (200, 422)


def test_a_password_changed_while_it_was_checked_opens_nothing(people, monkeypatch):
    def fits_and_then_changes(person, password):
        primary.run("UPDATE person SET password_hash = 'other' WHERE id = %s", people.bob.id)
        return True

    monkeypatch.setattr(actions, "person_fits", fits_and_then_changes)

    found = actions.sign_in(people.bob.email, PASSWORD, now=clock.now(), **ANONYMOUS)

    assert found is None
    assert primary.value("SELECT count(*) FROM session") == 0


def test_people_see_where_they_are_signed_in(as_person, people):
    as_person(people.cat)
    as_person(people.bob)
    here = as_person(people.bob)

    found = here.get("/account/sessions").json["sessions"]

    assert [each["current"] for each in found] == [True, False]
    assert set(found[0]) == {"id", "device", "address", "last_seen", "current"}
    assert found[0]["address"] == "127.0.0.1"


def test_a_session_is_ended_from_another_one(as_person, people):
    here, there = as_person(people.bob), as_person(people.bob)
    other = next(s for s in here.get("/account/sessions").json["sessions"] if not s["current"])

    answer = here.post(f"/account/sessions/{other['id']}/revocation")
    again = here.post(f"/account/sessions/{other['id']}/revocation")

    assert [s["current"] for s in answer.json["sessions"]] == [True]
    assert there.get("/account").status_code == 401
    assert again.status_code == 404


def test_nobody_ends_the_session_of_another(as_person, people):
    bob, fay = as_person(people.bob), as_person(people.fay)
    (session,) = bob.get("/account/sessions").json["sessions"]

    answers = [fay.post(f"/account/sessions/{one}/revocation") for one in (session["id"], uuid4())]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert bob.get("/account").status_code == 200


def test_all_other_sessions_are_ended_at_once(as_person, people):
    here, there, cat = as_person(people.bob), as_person(people.bob), as_person(people.cat)

    answer = here.post("/account/sessions/revocation", html=True)

    assert answer.headers["Location"] == "/account/sessions"
    assert "All your other sessions are ended." in here.get("/account/sessions", html=True).text
    assert there.get("/account").status_code == 401
    assert cat.get("/account").status_code == 200


def test_without_a_session_there_is_no_account(browser, people):
    nobody = browser()

    as_json = [nobody.get("/account"), nobody.post("/account/sessions/revocation")]
    as_page = nobody.get("/account/sessions", html=True)

    assert [answer.status_code for answer in as_json] == [401, 401]
    assert as_page.headers["Location"] == "/login?next=/account/sessions"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
            " Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
            " (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari on iOS",
        ),
        ("curl/8.5.0", "curl"),
        ("", "Unknown device"),
        ("<script>", "Unknown device"),
    ],
)
def test_a_device_is_told_in_words(user_agent, words):
    assert domain.device(user_agent) == words


def test_a_language_chosen_by_hand_outweighs_the_browsers(as_person, people):
    bob = as_person(people.bob)

    bob.post("/account/language", {"language": "ru", "next": "/account"})

    shown = bob.get("/account", html=True, headers={"Accept-Language": "en"}).text
    assert '<html lang="ru">' in shown
    assert bob.post("/account/language", {"language": "xx"}).status_code == 400
