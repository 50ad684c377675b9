"""What concerns many asks for the password again when it was given long ago."""

from datetime import timedelta

import pytest

from common import clock
from gateway.models import primary
from tests.gateway.conftest import PASSWORD

LATER = timedelta(hours=8, minutes=1)


@pytest.fixture
def long_ago(as_person):
    """Signed in eight hours ago and not idle since."""

    def sign_in(who):
        browser = as_person(who)
        change = "UPDATE session SET created_at = %s, confirmed_at = %s"
        primary.run(change, clock.now() - LATER, clock.now() - LATER)
        return browser

    return sign_in


GUARDED = [
    ("ann", "/reassignments", "/reassignments/new"),
    ("dan", "/payout-runs", "/payout-runs"),
]


@pytest.mark.parametrize(("name", "path", "page"), GUARDED)
def test_a_page_leads_to_the_question_and_a_program_is_told(
    long_ago, people, upstream, name, path, page
):
    browser = long_ago(getattr(people, name))

    as_page, as_json = browser.post(path, html=True), browser.post(path)

    where = f"/account/confirmation?next={page}"
    assert (as_page.status_code, as_page.headers["Location"]) == (303, where)
    assert (as_json.status_code, list(as_json.json)) == (403, ["error"])
    assert upstream.asked == []


@pytest.mark.parametrize(("name", "path", "page"), GUARDED)
def test_lately_signed_in_nothing_is_asked(as_person, people, upstream, name, path, page):
    browser = as_person(getattr(people, name))

    assert browser.post(path).status_code == 200
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("path", ["/tasks", "/reassignments/new", "/payout-runs/x"])
def test_everything_else_goes_on(long_ago, people, upstream, path):
    ann = long_ago(people.ann)

    assert (ann.post(path).status_code, ann.get("/reassignments").status_code) == (200, 200)


def test_another_role_is_asked_for_and_another_name_is_not(long_ago, people):
    fay = long_ago(people.fay)
    where = f"/users/{people.bob.id}"

    role = fay.post(where, {"name": "Rob", "role": "manager", "active": "true"}, html=True)
    told = fay.post(where, {"role": "manager"})
    name = fay.post(where, {"name": "Rob", "role": "worker", "active": "true"})

    assert role.headers["Location"] == f"/account/confirmation?next={where}"
    assert (told.status_code, "confirm your password" in told.json["error"]) == (403, True)
    assert (name.status_code, name.json["name"], name.json["role"]) == (200, "Rob", "worker")


@pytest.mark.parametrize("before", [True, False])
def test_letting_somebody_in_or_go_is_asked_for(long_ago, people, before):
    primary.run("UPDATE person SET is_active = %s WHERE id = %s", before, people.bob.id)
    fay = long_ago(people.fay)
    where = f"/users/{people.bob.id}"

    changed = fay.post(where, {"active": str(not before).lower()})
    same = fay.post(where, {"active": str(before).lower()})

    assert (changed.status_code, same.status_code) == (403, 200)


def test_whoever_is_added_with_a_say_is_asked_for(long_ago, people):
    fay = long_ago(people.fay)
    new = {"email": "gus@example.com", "name": "Gus"}

    asked = [fay.post("/users", {**new, "role": role}) for role in ("admin", "manager")]
    as_page = fay.post("/users", {**new, "role": "admin"}, html=True)
    added = fay.post("/users", {**new, "role": "worker"})

    assert [answer.status_code for answer in asked] == [403, 403]
    assert as_page.headers["Location"] == "/account/confirmation?next=/users"
    assert (added.status_code, added.json["role"]) == (201, "worker")


def test_the_password_leads_back_and_opens_the_way(long_ago, browser, people, upstream):
    ann, thief = long_ago(people.ann), browser()
    thief.copy_cookie("session", ann)
    where = "/account/confirmation?next=/reassignments/new"

    page = ann.get(where, html=True)
    form = {"password": PASSWORD, "next": "/reassignments/new"}
    answer = ann.post("/account/confirmation", form, html=True)

    assert 'value="/reassignments/new"' in page.text
    assert (answer.status_code, answer.headers["Location"]) == (303, "/reassignments/new")
    assert ann.post("/reassignments").status_code == 200
    assert thief.get("/account").status_code == 401


def test_a_wrong_password_confirms_nothing(long_ago, people):
    ann = long_ago(people.ann)

    as_json = ann.post("/account/confirmation", {"password": "wrong"})
    as_page = ann.post("/account/confirmation", {"password": "wrong", "next": "/tasks"}, html=True)

    assert (as_json.status_code, list(as_json.json["fields"])) == (422, ["password"])
    assert (as_page.status_code, 'value="/tasks"' in as_page.text) == (422, True)
    assert ann.post("/reassignments").status_code == 403


@pytest.mark.parametrize("asked", ["//evil.example", "https://evil.example", ""])
def test_it_leads_nowhere_else(long_ago, people, asked):
    form = {"password": PASSWORD, "next": asked}

    answer = long_ago(people.ann).post("/account/confirmation", form, html=True)

    assert answer.headers["Location"] == "/"


def test_without_a_session_there_is_nothing_to_confirm(browser, people):
    assert browser().get("/account/confirmation").status_code == 401


def test_that_it_was_confirmed_is_noted(long_ago, people):
    long_ago(people.ann).post("/account/confirmation", {"password": PASSWORD})

    assert primary.value("SELECT count(*) FROM audit WHERE what = 'session.confirmed'") == 1
