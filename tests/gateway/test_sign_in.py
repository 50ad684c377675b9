"""The way in and out, and what a session is good for."""

import time
from datetime import timedelta

import pytest
from peewee import OperationalError

from common import clock
from gateway import actions, sessions
from gateway.models import primary, replica
from tests.gateway.conftest import ANONYMOUS, PASSWORD

WRONG = "This e-mail address and password do not belong together."


def test_a_person_signs_in_and_is_known(browser, people):
    bob = browser()

    answer = bob.sign_in("BOB@example.com")

    assert answer.json == {
        "id": str(people.bob.id),
        "email": "bob@example.com",
        "name": "Bob",
        "role": "worker",
    }
    assert bob.get("/account").json == answer.json


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("bob@example.com", "wrong"),
        ("nobody@example.com", PASSWORD),
        ("eve@example.com", PASSWORD),
        ("", ""),
        ("bob\x00@example.com", "wrong"),
        ("bob@example.com", "x" * 50_000),
    ],
)
def test_whatever_is_wrong_the_answer_is_the_same(browser, people, email, password):
    bob = browser()

    answer = bob.sign_in(email, password)

    assert answer.status_code == 401
    assert answer.json == {"error": WRONG}
    assert primary.value("SELECT count(*) FROM session") == 0


def test_the_form_comes_back_with_the_address_but_not_the_password(browser, people):
    bob = browser()
    bob.csrf = bob.get("/login").json["csrf_token"]

    answer = bob.post("/login", {"email": "bob@example.com", "password": "secret"}, html=True)

    assert answer.status_code == 401
    assert WRONG in answer.text
    assert "bob@example.com" in answer.text
    assert "secret" not in answer.text


def test_an_unknown_person_takes_as_long_as_a_wrong_password(people):
    def seconds(email):
        start = time.thread_time()
        actions.sign_in(email, "wrong", now=clock.now(), **ANONYMOUS)
        return time.thread_time() - start

    known = min(seconds("bob@example.com") for _ in range(9))
    unknown = min(seconds("nobody@example.com") for _ in range(9))

    assert 0.5 < known / unknown < 2


def test_a_person_without_a_password_cannot_sign_in(browser, people):
    primary.run("UPDATE person SET password_hash = NULL WHERE id = %s", people.bob.id)

    answer = browser().sign_in("bob@example.com", "")

    assert answer.status_code == 401


def test_the_login_form_needs_its_token(browser, people):
    bob = browser()
    bob.get("/login")

    answer = bob.post("/login", {"email": "bob@example.com", "password": PASSWORD})

    assert answer.status_code == 403
    assert primary.value("SELECT count(*) FROM session") == 0


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("/tasks?q=a+b", "/tasks?q=a+b"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("", "/"),
    ],
)
def test_only_a_path_of_ours_is_followed(browser, people, asked, where):
    bob = browser()
    bob.csrf = bob.get("/login").json["csrf_token"]
    form = {"email": "bob@example.com", "password": PASSWORD, "next": asked}

    answer = bob.post("/login", form, html=True)

    assert (answer.status_code, answer.headers["Location"]) == (303, where)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("ann", "/tasks"),
        ("bob", "/tasks?assignee=me"),
        ("dan", "/payout-runs"),
        ("fay", "/analytics"),
    ],
)
def test_everybody_starts_at_the_page_of_their_role(as_person, people, name, where):
    browser = as_person(getattr(people, name))

    answer = browser.get("/", html=True)

    assert (answer.status_code, answer.headers["Location"]) == (303, where)


def test_a_copied_cookie_is_worth_nothing_after_sign_out(as_person, browser, people):
    bob, thief = as_person(people.bob), browser()
    thief.copy_cookie("session", bob)
    assert thief.get("/account").status_code == 200

    bob.post("/logout", html=True)

    assert thief.get("/account").status_code == 401
    assert bob.get("/account").status_code == 401


def test_signing_out_twice_is_no_error(as_person, people):
    bob = as_person(people.bob)
    bob.post("/logout")

    answer = bob.post("/logout", html=True)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_signing_out_needs_the_token(as_person, people):
    bob = as_person(people.bob)
    bob.csrf = "wrong"

    answer = bob.post("/logout")

    assert answer.status_code == 403
    assert bob.get("/account").status_code == 200


def test_signing_in_again_makes_a_new_session_and_drops_the_old(as_person, people, browser):
    bob, thief = as_person(people.bob), browser()
    thief.copy_cookie("session", bob)

    bob.sign_in("bob@example.com")

    assert thief.get("/account").status_code == 401
    assert bob.get("/account").status_code == 200
    assert primary.value("SELECT count(*) FROM session") == 1


def test_the_cookie_is_kept_nowhere_and_closed_to_scripts(browser, people):
    bob = browser()

    answer = bob.sign_in("bob@example.com")

    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("session="))
    kept = bytes(primary.value("SELECT token_sha256 FROM session"))
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert kept == sessions.sha256(bob.cookie("session"))


@pytest.mark.parametrize(
    ("later", "is_alive"),
    [
        (timedelta(hours=11), True),
        (timedelta(hours=13), False),
    ],
)
def test_a_session_ends_when_it_is_not_used(as_person, people, later, is_alive):
    bob = as_person(people.bob)

    with clock.hold(clock.now() + later):
        answer = bob.get("/account")

    assert (answer.status_code == 200) is is_alive


def test_a_session_ends_after_a_week_however_much_it_is_used(as_person, people):
    bob, start = as_person(people.bob), clock.now()

    alive = []
    for hour in range(0, 7 * 24 + 10, 10):
        with clock.hold(start + timedelta(hours=hour)):
            alive.append(bob.get("/account").status_code == 200)

    assert alive == [True] * 17 + [False]


def test_a_session_is_touched_once_a_minute(as_person, people):
    bob, start = as_person(people.bob), clock.now()

    seen = []
    for second in (1, 30, 70, 100):
        with clock.hold(start + timedelta(seconds=second)):
            bob.get("/account")
        seen.append(primary.value("SELECT last_seen_at FROM session"))

    assert seen[0] == seen[1] < seen[2] == seen[3]


def test_a_role_change_ends_the_sessions_at_once(as_person, people):
    bob = as_person(people.bob)

    actions.change_user(people.bob.id, {"role": "accountant"}, by=people.fay.id)

    assert bob.get("/account").status_code == 401
    assert bob.sign_in("bob@example.com").json["role"] == "accountant"


def test_with_the_primary_away_pages_are_read_and_nothing_is_changed(
    as_person, people, replayed, monkeypatch, upstream
):
    bob = as_person(people.bob)
    replayed()
    monkeypatch.setattr(primary, "away_until", time.monotonic() + 60)

    read = bob.get("/tasks")
    account = bob.get("/account", html=True)
    written = bob.post("/tasks", {"title": "x"})

    assert (read.status_code, account.status_code) == (200, 200)
    assert "everything can be read" in account.text
    assert upstream.headers["X-Exchange-Read-Only"] == "1"
    assert (written.status_code, written.headers["Retry-After"]) == (503, "5")
    assert len(upstream.asked) == 1


def test_when_the_primary_is_back_everything_can_be_changed_again(
    as_person, people, replayed, monkeypatch
):
    bob = as_person(people.bob)
    replayed()
    with monkeypatch.context() as patch:
        patch.setattr(sessions.breaker, "away_s", 0)
        patch.setattr(primary, "row", lost)
        assert bob.get("/account").status_code == 200

    answer = bob.post("/account/sessions/revocation")

    assert answer.status_code == 200


def lost(*_):
    raise OperationalError("gone")


def test_with_both_servers_away_the_page_says_so(as_person, people, monkeypatch):
    bob = as_person(people.bob)
    for server in (primary, replica):
        server.close_quietly()
        monkeypatch.setattr(server, "away_until", time.monotonic() + 60)

    answer = bob.get("/tasks")

    assert answer.status_code == 503
    assert "who you are" in answer.json["error"]
