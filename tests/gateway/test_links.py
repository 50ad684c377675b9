"""Invitations and forgotten passwords: one link, once, for its time, and no word about anybody."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest

from common import clock, links
from common.events import Envelope, LinkIssued
from gateway import invitations
from gateway.limits import Limits
from gateway.models import primary
from tests.gateway.conftest import PASSWORD

GUS = {"email": "gus@example.com", "name": "Gus", "role": "worker"}
NEW = "battery staple"
GONE = "This link opens nothing any more"


def issued():
    rows = primary.rows("SELECT envelope FROM outbox WHERE type = 'link.issued' ORDER BY id")
    return [Envelope.read(row["envelope"]).event() for row in rows]


def path_of(link, key):
    token = links.token_for(key, link.purpose, link.link_id, link.expires_at)
    return links.PATH + token


@pytest.fixture
def follow(settings):
    """`follow(link)` is where the mail of that link leads to."""
    return lambda link: path_of(link, settings.secret_keys[0])


@pytest.fixture
def visitor(browser):
    """Somebody's browser, not signed in, with a token for the forms outside."""
    found = browser()
    found.csrf = found.get("/account/reset").json["csrf_token"]
    return found


def ask(visitor, email="bob@example.com", **more):
    return visitor.post("/account/reset", {"email": email}, **more)


def test_a_person_added_without_a_password_is_invited_for_a_week(as_person, people):
    fay, now = as_person(people.fay), clock.now()

    made = fay.post("/users", GUS).json

    (link,) = issued()
    assert (str(link.user_id), link.purpose) == (made["id"], "invitation")
    assert timedelta(days=7) <= link.expires_at - now < timedelta(days=7, minutes=1)


def test_a_person_added_with_a_password_is_not_invited(as_person, people):
    as_person(people.fay).post("/users", {**GUS, "password": NEW})

    assert issued() == []


def test_an_invitation_leads_to_a_first_password(as_person, people, visitor, browser, follow):
    as_person(people.fay).post("/users", GUS)
    path = follow(issued()[0])

    page = visitor.get(path, html=True)
    answer = visitor.post(path, {"password": NEW}, html=True)

    assert "New password for gus@example.com" in page.text
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert "Your password is chosen; please sign in." in visitor.get("/login", html=True).text
    assert browser().sign_in(GUS["email"], NEW).json["name"] == "Gus"


def test_a_forgotten_password_is_replaced_and_ends_all_sessions(
    people, as_person, visitor, browser, follow
):
    bob = as_person(people.bob)
    now = clock.now()
    answer = ask(visitor, "BOB@example.com", html=True)
    (link,) = issued()

    chosen = visitor.post(follow(link), {"password": NEW})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert (link.user_id, link.purpose) == (people.bob.id, "reset")
    assert timedelta(hours=1) <= link.expires_at - now < timedelta(hours=1, minutes=1)
    assert chosen.status_code == 200
    assert bob.get("/account").status_code == 401
    assert browser().sign_in(people.bob.email, PASSWORD).status_code == 401
    assert browser().sign_in(people.bob.email, NEW).status_code == 200


@pytest.mark.parametrize("email", ["nobody@example.com", "eve@example.com"])
def test_the_answer_is_the_same_for_whoever_has_no_access(people, visitor, email):
    known, unknown = ask(visitor), ask(visitor, email)

    assert (known.status_code, known.json) == (unknown.status_code, unknown.json)
    assert [link.user_id for link in issued()] == [people.bob.id]
    assert primary.value("SELECT count(*) FROM link") == 1


def test_an_unknown_address_takes_as_long(people):
    def seconds(email):
        start = time.perf_counter()
        limit = Limits(account=1000, address=1000)
        invitations.ask(email, limit=limit, address="", now=clock.now())
        return time.perf_counter() - start

    pairs = [(seconds("bob@example.com"), seconds("nobody@example.com")) for _ in range(30)]

    known, unknown = (min(times) for times in zip(*pairs, strict=True))
    assert 0.5 < known / unknown < 2


def test_only_the_newest_link_is_good(people, visitor, follow):
    ask(visitor)
    ask(visitor)
    old, new = issued()

    answers = [visitor.get(follow(link)) for link in (old, new)]

    assert [answer.status_code for answer in answers] == [404, 200]
    assert GONE in answers[0].json["error"]


def test_a_link_is_good_once(people, visitor, follow):
    ask(visitor)
    path = follow(issued()[0])

    first = visitor.post(path, {"password": NEW})
    second = visitor.post(path, {"password": "another staple"}, html=True)

    assert (first.status_code, second.status_code) == (200, 404)
    assert GONE in second.text


def test_two_at_once_choose_one_password(people, visitor, settings):
    ask(visitor)
    token = path_of(issued()[0], settings.secret_keys[0]).rpartition("/")[2]
    both = [invitations.open_link(token, settings.secret_keys, now=clock.now()) for _ in range(2)]

    invitations.choose_password(both[0], NEW)

    with pytest.raises(invitations.NoLink):
        invitations.choose_password(both[1], "another staple")


@pytest.mark.parametrize(("life", "status"), [(59, 200), (61, 404)])
def test_a_link_is_good_for_its_time(people, visitor, follow, life, status):
    ask(visitor)
    path = follow(issued()[0])

    with clock.hold(clock.now() + timedelta(minutes=life)):
        answer = visitor.get(path)

    assert answer.status_code == status


@pytest.mark.parametrize("token", ["x", "0" * 96, "z" * 96, "é" * 40, "{" * 32])
def test_a_link_that_was_made_up_is_none(people, visitor, token):
    answers = [visitor.get(links.PATH + token), visitor.post(links.PATH + token, {"password": NEW})]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert all(GONE in answer.json["error"] for answer in answers)


@pytest.mark.parametrize(
    "change",
    [
        lambda link: {"purpose": "invitation"},
        lambda link: {"expires_at": link.expires_at + timedelta(days=1)},
        lambda link: {"link_id": uuid4()},
    ],
)
def test_no_part_of_a_link_can_be_changed(people, visitor, follow, change):
    ask(visitor)
    (link,) = issued()
    facts = {name: getattr(link, name) for name in LinkIssued.__struct_fields__}

    answer = visitor.get(follow(LinkIssued(**facts | change(link))))

    assert answer.status_code == 404


def test_a_link_of_the_key_before_is_still_good_and_of_another_is_not(people, settings):
    limit = Limits(account=10, address=10)
    invitations.ask("bob@example.com", limit=limit, address="", now=clock.now())
    (link,) = issued()
    token = path_of(link, "old").rpartition("/")[2]

    assert invitations.open_link(token, ("new", "old"), now=clock.now())["name"] == "Bob"
    with pytest.raises(invitations.NoLink):
        invitations.open_link(token, ("new",), now=clock.now())


def test_who_lost_access_has_no_link(people, visitor, follow):
    ask(visitor)
    primary.run("UPDATE person SET is_active = false WHERE id = %s", people.bob.id)

    assert visitor.get(follow(issued()[0])).status_code == 404


def test_a_link_of_who_was_let_go_is_none_when_they_are_back(as_person, people, visitor, follow):
    ask(visitor)
    token = follow(issued()[0])
    fay = as_person(people.fay)

    for active in ("false", "true"):
        fay.post(f"/users/{people.bob.id}", {"active": active})

    assert visitor.get(token).status_code == 404


def test_a_password_changed_meanwhile_makes_the_link_useless(as_person, people, visitor, follow):
    ask(visitor)
    form = {"current": PASSWORD, "password": NEW}

    as_person(people.bob).post("/account/password", form)

    assert visitor.get(follow(issued()[0])).status_code == 404


@pytest.mark.parametrize("password", ["short", "password123", "bob@example.com!!", "x" * 129])
def test_the_same_rules_hold_for_a_chosen_password(people, visitor, follow, password):
    ask(visitor)
    path = follow(issued()[0])

    as_json = visitor.post(path, {"password": password})
    as_page = visitor.post(path, {"password": password}, html=True)

    assert (as_json.status_code, list(as_json.json["fields"])) == (422, ["password"])
    assert (as_page.status_code, 'id="field-password-error"' in as_page.text) == (422, True)
    assert visitor.get(path).status_code == 200


def test_an_address_that_is_none_is_named(people, visitor):
    answer = ask(visitor, "bob")

    assert (answer.status_code, list(answer.json["fields"])) == (422, ["email"])


@pytest.mark.promise(39)
def test_the_forms_outside_need_their_token(people, visitor, follow):
    ask(visitor)
    path = follow(issued()[0])
    visitor.csrf = "wrong"

    answers = [ask(visitor), visitor.post(path, {"password": NEW})]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert len(issued()) == 1


def test_the_secret_is_in_no_table_and_no_event(people, visitor, follow):
    ask(visitor)
    (link,) = issued()
    proof = follow(link)[-64:]

    kept = [
        primary.value(f"SELECT json_agg(t)::text FROM {table} t")
        for table in ("link", "outbox", "audit", "guess")
    ]

    assert not any(proof in text for text in kept)
    assert issued() == [link]


def test_asking_too_often_is_refused_whoever_is_asked_for(people, visitor):
    answers = [[ask(visitor, email) for _ in range(11)] for email in ("bob@example.com", "n@o")]

    for each in answers:
        assert [answer.status_code for answer in each] == [200] * 10 + [429]
        assert 0 < int(each[-1].headers["Retry-After"]) <= 900
    assert len(issued()) == 10


def test_a_signed_in_person_may_follow_a_link_too(as_person, people, follow, visitor):
    ask(visitor)
    bob = as_person(people.bob)
    path = follow(issued()[0])
    bob.csrf = bob.get(path).json["csrf_token"]

    answer = bob.post(path, {"password": NEW})

    assert answer.status_code == 200
    assert bob.get("/account").status_code == 401
