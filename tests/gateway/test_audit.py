"""The audit log: what is in it, who may read it, and that nobody takes anything out."""

from datetime import UTC, datetime, timedelta

import pytest
from peewee import InternalError, ProgrammingError

from common import clock
from gateway import actions, trail
from gateway.models import primary, replica
from tests.gateway.conftest import PASSWORD, reply


def entries(*names):
    rows = primary.rows("SELECT * FROM audit ORDER BY at, id")
    return [tuple(row[name] for name in names) for row in rows]


def whats():
    return [what for (what,) in entries("what")]


def test_coming_and_going_is_noted(as_person, people):
    bob = as_person(people.bob)
    session = primary.value("SELECT id FROM session")
    bob.post("/account/sessions/revocation")
    bob.post("/logout")
    as_person(people.bob).post(f"/account/sessions/{session}/revocation")

    found = entries("what", "user_id", "object", "address")

    assert found == [
        ("session.started", people.bob.id, "Werkzeug", "127.0.0.1"),
        ("session.ended", people.bob.id, "their own", "127.0.0.1"),
        ("session.started", people.bob.id, "Werkzeug", "127.0.0.1"),
    ]


def test_sessions_ended_from_elsewhere_are_noted(as_person, people):
    here, _, _ = as_person(people.bob), as_person(people.bob), as_person(people.bob)
    other = next(s for s in here.get("/account/sessions").json["sessions"] if not s["current"])

    here.post(f"/account/sessions/{other['id']}/revocation")
    here.post("/account/sessions/revocation")

    assert entries("what", "object")[3:] == [
        ("session.ended", "Werkzeug"),
        ("session.ended", "all others, 1"),
    ]


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("bob@example.com", "bob@example.com"),
        ("nobody@example.com", "nobody@example.com"),
        ("my password in the wrong field", ""),
    ],
)
def test_a_refused_sign_in_tells_neither_password_nor_person(browser, people, email, kept):
    browser().sign_in(email, "a secret of mine")

    assert entries("what", "user_id", "object") == [("session.refused", None, kept)]
    assert "secret" not in primary.value("SELECT json_agg(audit)::text FROM audit")


def test_changes_of_people_are_noted_with_who_made_them(as_person, people):
    fay = as_person(people.fay)

    gus = {"email": "gus@example.com", "name": "Gus", "role": "worker"}
    fay.post("/users", gus)
    fay.post(f"/users/{people.bob.id}", {"role": "manager", "name": "Bobby", "active": "true"})
    fay.post(f"/users/{people.bob.id}", {"role": "manager"})

    assert entries("what", "user_id", "object")[1:] == [
        ("user.added", people.fay.id, "gus@example.com, worker"),
        ("user.changed", people.fay.id, "bob@example.com: name Bob → Bobby, role worker → manager"),
    ]


def test_a_refused_change_leaves_no_entry(as_person, people):
    fay = as_person(people.fay)

    answer = fay.post(f"/users/{people.fay.id}", {"role": "worker"})

    assert (answer.status_code, whats()) == (409, ["session.started"])


def test_a_password_changed_is_noted(as_person, people):
    bob = as_person(people.bob)

    bob.post("/account/password", {"current": PASSWORD, "password": "battery staple"})

    assert whats() == ["session.started", "password.changed"]


def test_what_is_done_at_the_command_line_is_noted(people):
    actions.change_user(people.bob.id, {"name": "Rob"}, by=None)

    trail.origin.set(trail.COMMAND_LINE)
    actions.change_user(people.bob.id, {"name": "Bob"}, by=None)

    assert entries("user_id", "address")[-1] == (None, "command line")


@pytest.mark.parametrize(("name", "is_noted"), [("ann", 1), ("dan", 1), ("fay", 1), ("bob", 0)])
def test_what_those_with_a_say_send_to_a_service_is_noted(
    as_person, people, upstream, name, is_noted
):
    person = getattr(people, name)
    sender = as_person(person)
    upstream.answer = lambda handler: reply(handler, status=409)

    answer = sender.post("/payout-runs", {"day": "2026-11-20"})
    sender.get("/payout-runs")

    told = entries("what", "user_id", "object", "status", "request_id")[1:]
    expected = ("request.made", person.id, "POST /payout-runs", 409, answer.headers["X-Request-Id"])
    assert told == [expected] * is_noted


def test_of_the_others_it_is_noted_what_they_were_refused(as_person, people, upstream):
    bob = as_person(people.bob)
    upstream.answer = lambda handler: reply(handler, status=403)

    bob.post("/reassignments")
    bob.post("/users", {"email": "x@example.com", "name": "X", "role": "admin"})
    bob.post("/tasks", headers={"Origin": "https://evil.example"})
    bob.get("/users")
    upstream.answer = reply
    bob.post("/tasks", {"title": "x"})

    told = entries("what", "user_id", "object", "status")[1:]
    paths = ("/reassignments", "/users", "/tasks")
    assert told == [("request.made", people.bob.id, f"POST {path}", 403) for path in paths]


def test_who_is_nobody_fills_no_log(browser, people):
    browser().post("/login", headers={"Origin": "https://evil.example"})
    browser().post("/tasks", headers={"Origin": "https://evil.example"})

    assert entries("what") == []


def test_a_request_that_broke_off_is_noted_too(as_person, people, upstream):
    ann = as_person(people.ann)
    upstream.answer = lambda handler: handler.wfile.write(b"no HTTP\r\n\r\n")

    ann.post("/reassignments")

    assert entries("what", "status")[1:] == [("request.made", 502)]


def test_the_answer_is_passed_on_when_it_cannot_be_noted(as_person, people, upstream, monkeypatch):
    ann = as_person(people.ann)

    def lost(*_, **__):
        raise trail.LOST[0]("gone")

    monkeypatch.setattr(trail, "note", lost)

    answer = ann.post("/reassignments")

    assert answer.status_code == 200


@pytest.mark.parametrize("change", ["UPDATE audit SET what = 'x'", "DELETE FROM audit"])
def test_nothing_is_changed_or_taken_out(as_person, people, change):
    as_person(people.bob)

    with pytest.raises((InternalError, ProgrammingError), match="only ever added"):
        primary.run(change)

    assert whats() == ["session.started"]


@pytest.mark.parametrize("name", ["ann", "bob", "dan"])
def test_only_admins_read_it(as_person, people, name):
    other = as_person(getattr(people, name))

    answers = [other.get("/audit"), other.get("/audit.csv"), other.get("/audit", html=True)]

    assert [answer.status_code for answer in answers] == [403] * 3


def test_an_admin_reads_it_newest_first(as_person, people, replayed):
    as_person(people.bob)
    fay = as_person(people.fay)
    replayed()

    found = fay.get("/audit").json

    assert [entry["user"]["name"] for entry in found["entries"]] == ["Fay", "Bob"]
    assert list(found["entries"][0]) == [
        "id",
        "at",
        "user",
        "what",
        "object",
        "address",
        "status",
        "request_id",
    ]
    assert found["entries"][1]["user"]["id"] == str(people.bob.id)
    assert found["next"] is None


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=bob", ["Bob"]),
        ("q=EXAMPLE+cat", ["Cat"]),
        ("q=%25", []),
        ("q=nobody", [None]),
        ("what=session.started", ["Fay", "Bob", "Cat"]),
        ("what=session.refused", [None]),
        ("what=nonsense", ["Fay", None, "Bob", "Cat"]),
        ("since=2026-11-21&until=2026-11-21", ["Bob"]),
        ("until=2026-11-20", ["Cat"]),
        ("since=2027-01-01&until=9999-12-31", []),
    ],
)
def test_it_is_searched(as_person, browser, people, replayed, query, names):
    with clock.hold(datetime(2026, 11, 20, 23, 59, tzinfo=UTC)):
        as_person(people.cat)
    with clock.hold(datetime(2026, 11, 21, 0, 0, tzinfo=UTC)):
        as_person(people.bob)
    browser().sign_in("nobody@example.com")
    fay = as_person(people.fay)
    replayed()

    found = fay.get(f"/audit?{query}").json["entries"]

    assert [entry["user"] and entry["user"]["name"] for entry in found] == names


def test_a_day_that_is_none_is_named(as_person, people):
    fay = as_person(people.fay)

    as_json = fay.get("/audit?since=yesterday")
    as_page = fay.get("/audit?until=9999-99-99", html=True)

    assert (as_json.status_code, list(as_json.json["fields"])) == (422, ["since"])
    assert (as_page.status_code, "like 2026-01-31" in as_page.text) == (422, True)


def test_it_is_paged_and_downloaded_whole(as_person, people, replayed):
    fay = as_person(people.fay)
    start = clock.now() - timedelta(days=1)
    for number in range(30):
        with clock.hold(start + timedelta(seconds=number // 2)):
            trail.note("session.started", f"=device {number}", by=people.bob.id)
    replayed()

    first = fay.get("/audit?q=bob").json
    second = fay.get(f"/audit?q=bob&cursor={first['next']}").json
    table = fay.get("/audit.csv?q=bob").text.splitlines()
    page = fay.get("/audit?q=bob", html=True).text

    numbers = [int(e["object"].split()[1]) for e in first["entries"] + second["entries"]]
    assert numbers == list(range(29, -1, -1))
    assert table[0] == "id,at,user,what,object,address,status,request_id"
    assert ",Bob,session.started,'=device 29," in table[1]
    assert len(table) == 31
    assert 'rel="next"' in page
    assert replica.value("SELECT count(*) FROM audit") == 31
