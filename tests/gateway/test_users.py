"""Adding and changing people: what happens, to whom it is refused, and who hears of it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from peewee import ProgrammingError

from common import clock
from common.db import Server
from common.errors import Conflict, Invalid
from common.events import Envelope, LinkIssued, UserAdded, UserChanged
from gateway import actions
from gateway.forms import NewUser
from gateway.models import primary

GUS = {"email": "gus@example.com", "name": "Gus", "role": "worker"}


def facts():
    rows = primary.rows("SELECT envelope FROM outbox ORDER BY id")
    return [Envelope.read(row["envelope"]).event() for row in rows]


def change(person, by=None, **wanted):
    return actions.change_user(person.id, wanted, by=by)


def test_an_admin_adds_a_person_and_the_fact_is_told(as_person, people):
    fay = as_person(people.fay)

    answer = fay.post("/users", {**GUS, "password": "long enough"})

    assert answer.status_code == 201
    assert answer.json == {**GUS, "id": answer.json["id"], "active": True}
    assert fay.get(f"/users/{answer.json['id']}").json == answer.json
    (fact,) = facts()
    assert isinstance(fact, UserAdded)
    assert (str(fact.user_id), fact.email, fact.user_version) == (
        answer.json["id"],
        GUS["email"],
        1,
    )


def test_the_form_leads_to_the_person(as_person, people):
    fay = as_person(people.fay)

    answer = fay.post("/users", GUS, html=True)

    assert answer.status_code == 303
    assert "Gus was added." in fay.get(answer.headers["Location"], html=True).text


def test_a_person_added_can_sign_in(as_person, browser, people):
    as_person(people.fay).post("/users", {**GUS, "password": "long enough"})

    answer = browser().sign_in(GUS["email"], "long enough")

    assert answer.json["name"] == "Gus"


@pytest.mark.parametrize("name", ["ann", "bob", "dan"])
def test_nobody_else_sees_or_adds_people(as_person, people, name):
    other = as_person(getattr(people, name))

    answers = [
        other.get("/users"),
        other.get("/users.csv"),
        other.post("/users", GUS),
        other.get(f"/users/{people.bob.id}"),
        other.post(f"/users/{people.bob.id}", {"role": "admin"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert facts() == []


def test_a_form_sent_twice_adds_one_person(as_person, people):
    fay = as_person(people.fay)
    form = {**GUS, "form_key": "abc"}

    first, second = fay.post("/users", form), fay.post("/users", form)
    other = fay.post("/users", {**form, "name": "Hal"})

    assert (first.status_code, second.status_code, other.status_code) == (201, 200, 409)
    assert first.json == second.json
    assert [type(fact) for fact in facts()] == [UserAdded, LinkIssued]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"),
        ("email", "BOB@example.com"),
        ("email", "a@b\r\nBcc: c@d"),
        ("name", ""),
        ("name", "x" * 101),
        ("name", "a\x00b"),
        ("role", "king"),
        ("password", "short"),
    ],
)
def test_a_field_that_cannot_be_taken_is_named(as_person, people, field, value):
    fay = as_person(people.fay)

    as_json = fay.post("/users", {**GUS, field: value})
    as_page = fay.post("/users", {**GUS, field: value}, html=True)

    assert (as_json.status_code, as_page.status_code) == (422, 422)
    assert list(as_json.json["fields"]) == [field]
    assert as_json.json["fields"][field] in as_page.get_data(as_text=True).replace("&#39;", "'")


def test_two_people_cannot_have_one_address(people):
    actions.add_user(NewUser(**GUS), now=clock.now())

    with pytest.raises(Invalid):
        actions.add_user(NewUser(**{**GUS, "email": "GUS@example.com"}), now=clock.now())

    assert [type(fact) for fact in facts()] == [UserAdded, LinkIssued]


def test_a_change_tells_the_whole_state_and_the_next_version(as_person, people):
    fay = as_person(people.fay)

    answer = fay.post(f"/users/{people.bob.id}", {"name": "Robert"})

    assert answer.status_code == 200
    assert (answer.json["name"], answer.json["role"]) == ("Robert", "worker")
    assert facts() == [
        UserChanged(
            user_id=people.bob.id,
            email=people.bob.email,
            name="Robert",
            role="worker",
            is_active=True,
            user_version=2,
        )
    ]


def test_a_change_to_what_is_already_so_tells_nothing(people):
    change(people.bob, name="Bob", role="worker", is_active=True)

    assert facts() == []


def test_a_person_who_is_not_there_cannot_be_changed(as_person, people):
    fay = as_person(people.fay)

    answer = fay.post(f"/users/{uuid4()}", {"name": "X"})

    assert answer.status_code == 404


@pytest.mark.parametrize("form", [{"active": "false"}, {"role": "manager"}, {"role": "admin"}])
def test_who_is_dealt_to_no_longer_is_signed_out(as_person, people, form):
    bob, fay = as_person(people.bob), as_person(people.fay)

    answer = fay.post(f"/users/{people.bob.id}", form)

    assert answer.status_code == 200
    assert bob.get("/account").status_code == 401
    assert fay.get("/account").status_code == 200


def test_another_name_signs_nobody_out(as_person, people):
    bob = as_person(people.bob)

    change(people.bob, name="Robert")

    assert bob.get("/account").json["name"] == "Robert"


def test_somebody_must_be_left_to_deal_to(people):
    change(people.bob, is_active=False)
    change(people.cat, role="manager")

    with pytest.raises(Conflict):
        change(people.dan, role="admin")

    assert primary.value("SELECT role FROM person WHERE id = %s", people.dan.id) == "accountant"


def test_a_worker_may_become_accountant_even_as_the_last_one(people):
    change(people.bob, is_active=False)
    change(people.dan, is_active=False)

    change(people.cat, role="accountant")

    assert facts()[-1].role == "accountant"


def test_an_admin_must_be_left(people):
    with pytest.raises(Conflict):
        change(people.fay, is_active=False)
    with pytest.raises(Conflict):
        change(people.fay, role="worker")

    assert facts() == []


@pytest.mark.parametrize("form", [{"active": "false"}, {"role": "worker"}])
def test_admins_do_not_demote_or_deactivate_themselves(as_person, people, form):
    change(people.ann, role="admin")
    fay = as_person(people.fay)

    answer = fay.post(f"/users/{people.fay.id}", form)

    assert answer.status_code == 409
    assert fay.get("/account").json["role"] == "admin"


def test_two_admins_demoting_each_other_at_once_leave_one(people):
    change(people.ann, role="admin")

    def demote(pair):
        try:
            change(pair[0], by=pair[1].id, role="worker")
            return "done"
        except Conflict:
            return "refused"
        finally:
            primary.close_quietly()

    pairs = [(people.ann, people.fay), (people.fay, people.ann)]
    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(demote, pairs))

    assert outcomes == ["done", "refused"]
    assert primary.value("SELECT count(*) FROM person WHERE role = 'admin'") == 1


def test_the_list_is_paged_and_filtered(as_person, people, replayed):
    fay = as_person(people.fay)
    for number in range(30):
        new = NewUser(f"w{number:02}@example.org", f"Worker {number:02}", "worker")
        actions.add_user(new, now=clock.now())
    replayed()

    first = fay.get("/users?role=worker").json
    second = fay.get(f"/users?role=worker&cursor={first['next']}").json
    found = fay.get("/users?q=EXAMPLE.org+07").json

    names = [user["name"] for user in first["users"] + second["users"]]
    assert names == ["Bob", "Cat", "Eve", *[f"Worker {number:02}" for number in range(30)]]
    assert second["next"] is None
    assert [user["name"] for user in found["users"]] == ["Worker 07"]
    assert fay.get("/users?q=%25").json["users"] == []


def test_the_csv_holds_all_that_matches(as_person, people, replayed):
    change(people.cat, name="=1+1")
    fay = as_person(people.fay)
    replayed()

    lines = fay.get("/users.csv?role=worker").text.splitlines()

    assert lines[0] == "id,email,name,role,active"
    assert lines[1].endswith("cat@example.com,'=1+1,worker,true")
    assert len(lines) == 4


def test_every_page_about_people_can_be_seen(as_person, people, replayed):
    fay = as_person(people.fay)
    replayed()

    pages = [fay.get(path, html=True) for path in ("/users", f"/users/{people.bob.id}")]

    assert [page.status_code for page in pages] == [200, 200]
    assert all("Bob" in page.text for page in pages)


def test_reports_see_who_people_are_and_no_more(people, settings, replayed):
    replayed()
    reader = Server(None)
    reader.open(settings.report_url("gateway"))

    rows = reader.rows("SELECT * FROM report_users ORDER BY id")

    assert rows[4] == {
        "id": people.eve.id,
        "name": "Eve",
        "email": "eve@example.com",
        "role": "worker",
        "is_active": False,
    }
    with pytest.raises(ProgrammingError):
        reader.rows("SELECT * FROM person")
    reader.close_quietly()
