"""A form of another site does nothing here."""

import pytest

from gateway.models import primary
from tests.gateway.conftest import PASSWORD, Browser

SOMEBODY = "01900000-0000-7000-8000-000000000002"
WRITES = {
    "/login": {"email": "bob@example.com", "password": PASSWORD},
    "/logout": {},
    "/account/reset": {"email": "bob@example.com"},
    "/account/password": {"current": PASSWORD, "password": "battery staple"},
    "/account/confirmation": {"password": PASSWORD},
    "/account/language": {"language": "ru"},
    f"/account/sessions/{SOMEBODY}/revocation": {},
    "/account/sessions/revocation": {},
    "/users": {"email": "x@example.com", "name": "X", "role": "admin"},
    f"/users/{SOMEBODY}": {"role": "admin"},
}
OPEN = ("/logout", "/account/language")  # they change nothing but the browser that sends them
FOREIGN = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1.evil.example:8000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


def state():
    tables = ("person", "session", "link", "outbox")
    return [primary.value(f"SELECT json_agg(t ORDER BY id)::text FROM {t} t") for t in tables]


def test_no_form_is_forgotten_here(app):
    rules = [rule for rule in app.url_map.iter_rules() if "POST" in rule.methods]

    written = {rule.rule.replace("<uuid:session_id>", SOMEBODY) for rule in rules}

    written = {path.replace("<uuid:user_id>", SOMEBODY) for path in written}
    assert written - {"/account/reset/<token>"} == set(WRITES)


@pytest.mark.promise(39)
@pytest.mark.parametrize("path", WRITES)
def test_a_forged_form_changes_nothing(as_person, people, app, settings, path):
    fay = as_person(people.fay)
    nobody = Browser(app, settings)
    nobody.get("/login")
    before = state()

    with_token = [fay.post(path, WRITES[path], headers=headers) for headers in FOREIGN]
    fay.csrf = ""
    without = [fay.post(path, WRITES[path]), fay.open("POST", path, data=WRITES[path])]
    signed_out = [nobody.post(path, WRITES[path])]

    assert {answer.status_code for answer in with_token + without} == {403}
    assert signed_out[0].status_code in (401, 403) or path in OPEN
    assert state() == before


@pytest.mark.promise(39)
def test_the_token_of_one_person_is_none_for_another(as_person, people):
    bob, fay = as_person(people.bob), as_person(people.fay)
    fay.csrf = bob.csrf

    assert fay.post("/users", WRITES["/users"]).status_code == 403


@pytest.mark.promise(39)
def test_a_forged_form_is_not_passed_on(as_person, people, upstream):
    ann = as_person(people.ann)

    answers = [ann.post("/reassignments", headers=headers) for headers in FOREIGN]

    assert {answer.status_code for answer in answers} == {403}
    assert upstream.asked == []


@pytest.mark.promise(39)
@pytest.mark.parametrize("path", ["/login", "/account/reset"])
@pytest.mark.parametrize("token", ["", "é", "x"])
def test_a_token_that_is_none_is_refused_to_anybody(app, settings, people, path, token):
    nobody = Browser(app, settings)
    nobody.get("/login")
    nobody.csrf = token

    assert nobody.post(path, WRITES[path]).status_code == 403
