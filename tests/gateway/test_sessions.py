"""What ends a session ends it at once, for whoever holds its cookie."""

import time

import pytest

from common import clock
from common.config import Config
from common.identity import HEADER, Signer
from gateway import actions, invitations, sessions
from gateway.app import create_app
from gateway.models import primary
from tests.gateway.conftest import PASSWORD, Browser

NEW = "battery staple"


def sign_out(bob, fay, people):
    return bob.post("/logout")


def change_password(bob, fay, people):
    return bob.post("/account/password", {"current": PASSWORD, "password": NEW})


def confirm_password(bob, fay, people):
    return bob.post("/account/confirmation", {"password": PASSWORD})


def another_role(bob, fay, people):
    return fay.post(f"/users/{people.bob.id}", {"role": "accountant"})


def no_access(bob, fay, people):
    return fay.post(f"/users/{people.bob.id}", {"active": "false"})


def choose_by_link(bob, fay, people):
    with primary.atomic():
        invitations.issue(people.bob.id, "reset", now=clock.now())
    link = {**primary.row("SELECT * FROM link"), "email": people.bob.email}
    return invitations.choose_password(link, NEW)


def end_the_others(bob, fay, people):
    other = bob.sign_in(people.bob.email)
    assert other.status_code == 200
    return bob.post("/account/sessions/revocation")


@pytest.mark.promise(37)
@pytest.mark.parametrize(
    "end",
    [
        sign_out,
        change_password,
        confirm_password,
        another_role,
        no_access,
        choose_by_link,
        end_the_others,
    ],
)
def test_a_copied_cookie_opens_nothing_from_then_on(as_person, browser, people, upstream, end):
    bob, fay, thief = as_person(people.bob), as_person(people.fay), browser()
    thief.copy_cookie("session", bob)
    thief.csrf = bob.csrf
    assert thief.get("/tasks").status_code == 200

    answer = end(bob, fay, people)

    assert answer is None or answer.status_code == 200
    asked = len(upstream.asked)
    later = [thief.get("/tasks"), thief.post("/tasks"), thief.get("/account"), thief.get("/")]
    assert [each.status_code for each in later] == [401] * 4
    assert len(upstream.asked) == asked


def test_who_asks_for_a_page_is_found_out_while_the_service_works(
    as_person, people, upstream, monkeypatch
):
    bob, look = as_person(people.bob), sessions.look

    def look_once_it_is_asked(params):
        end = time.monotonic() + 5
        while not upstream.asked:
            assert time.monotonic() < end, "nobody was asked yet"
            time.sleep(0.001)
        return look(params)

    bob.get("/tasks")
    upstream.asked.clear()
    monkeypatch.setattr(sessions, "look", look_once_it_is_asked)

    assert bob.get("/tasks").status_code == 200
    assert len(upstream.asked) == 1


def test_a_page_is_for_who_somebody_is_not_who_they_were(as_person, people, upstream, settings):
    bob = as_person(people.bob)
    bob.get("/tasks")
    primary.run("UPDATE person SET name = 'Robert' WHERE id = %s", people.bob.id)

    answer = bob.get("/tasks")

    told = Signer(settings.secret_keys).read(upstream.headers[HEADER], "tracker", "GET", "/tasks")
    assert (answer.status_code, told.name) == (200, "Robert")


@pytest.mark.promise(37)
def test_whoever_changes_the_password_stays_signed_in_and_nobody_else(as_person, people):
    bob, elsewhere = as_person(people.bob), as_person(people.bob)

    bob.post("/account/password", {"current": PASSWORD, "password": NEW})

    assert (bob.get("/account").status_code, elsewhere.get("/account").status_code) == (200, 401)


@pytest.mark.promise(37)
def test_a_demoted_admin_is_one_no_longer(as_person, people, upstream):
    ann, fay = as_person(people.ann), as_person(people.fay)
    fay.post(f"/users/{people.ann.id}", {"role": "admin"})
    assert ann.sign_in(people.ann.email).json["role"] == "admin"

    actions.change_user(people.ann.id, {"role": "worker"}, by=people.fay.id)

    assert ann.post("/users", {"email": "x@y", "name": "X", "role": "admin"}).status_code == 401
    assert ann.sign_in(people.ann.email).json["role"] == "worker"
    assert ann.get("/users").status_code == 403


@pytest.mark.parametrize(
    ("url", "flags", "prefix"),
    [
        ("https://tasks.example", {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}, "__Host-"),
        ("http://127.0.0.1:8000", {"Path=/", "HttpOnly", "SameSite=Lax"}, ""),
    ],
)
def test_every_cookie_is_closed_to_scripts_and_other_sites(settings, people, url, flags, prefix):
    address = Config({**settings.env, "EXCHANGE_URL": url})
    bob = Browser(create_app(address), address)

    answers = [bob.get("/login"), bob.sign_in(people.bob.email), bob.post("/logout")]

    cookies = [each for answer in answers for each in answer.headers.getlist("Set-Cookie")]
    assert {cookie.partition("=")[0] for cookie in cookies} >= {
        f"{prefix}login",
        f"{prefix}session",
    }
    for cookie in cookies:
        _, *found = cookie.split("; ")
        assert {flag for flag in found if not flag.startswith("Max-Age=")} == flags
