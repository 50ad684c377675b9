"""`/earnings`: one's own money, and others' for those who may see it."""

import csv
import io
from uuid import UUID, uuid4

import pytest

from analytics import names
from common.errors import Away


@pytest.fixture
def bobs_day(cast, users, books, replayed):
    """Bob was dealt two tasks and did one of them."""
    swept, dusted = books.task("Sweep", fee=1200, reward=2500), books.task("Dust", fee=1900)
    books.deal(cast.bob, swept, dusted)
    books.complete(cast.bob, swept)
    replayed()
    return swept


def test_money_is_signed_as_the_person_sees_it(cast, client, bobs_day):
    swept = bobs_day

    facts = client("analytics", cast.bob).get("/earnings").json

    assert facts["balance_cents"] == facts["today_cents"] == 2500 - 1200 - 1900
    assert facts["day"] == "2026-03-02"
    assert facts["next"] is None
    assert {
        (one["kind"], one["amount_cents"], one["task"]["title"]) for one in facts["transfers"]
    } == {
        ("completion_reward", 2500, "Sweep"),
        ("deal_fee", -1200, "Sweep"),
        ("deal_fee", -1900, "Dust"),
    }
    newest = facts["transfers"][0]
    assert newest["kind"] == "completion_reward"
    named = {"id", "kind", "amount_cents", "day", "posted_at", "task"}
    assert set(newest) == named | {"after_cents"}
    assert newest["task"]["id"] == str(swept)


def test_somebody_never_dealt_to_has_zeros(cast, client, bobs_day):
    for person in (cast.ann, cast.cat, cast.fay):
        facts = client("analytics", person).get("/earnings").json

        assert (facts["balance_cents"], facts["today_cents"], facts["transfers"]) == (0, 0, [])


def test_before_the_books_are_opened_there_is_no_day(cast, client, replayed):
    facts = client("analytics", cast.bob).get("/earnings").json

    assert (facts["day"], facts["balance_cents"]) == (None, 0)
    assert client("analytics", cast.bob).get("/earnings", html=True).status_code == 200


def test_a_payout_shows_without_a_task_and_today_starts_anew(cast, client, books, replayed):
    task = books.task("Sweep", fee=1000, reward=4000)
    books.deal(cast.bob, task)
    books.complete(cast.bob, task)
    books.next_day()
    replayed()

    facts = client("analytics", cast.bob).get("/earnings").json

    assert (facts["balance_cents"], facts["today_cents"], facts["day"]) == (0, 0, "2026-03-03")
    paid = facts["transfers"][0]
    assert (paid["kind"], paid["amount_cents"], paid["task"]) == ("payout", -3000, None)
    assert paid["day"] == "2026-03-02"


def test_filters_are_in_the_address(cast, client, books, replayed):
    for title in ("Monday's", "Tuesday's"):
        books.deal(cast.bob, books.task(title))
        books.next_day()
    replayed()
    bob = client("analytics", cast.bob)

    def titles(query: str) -> list[str]:
        return [one["task"]["title"] for one in bob.get(f"/earnings?{query}").json["transfers"]]

    assert titles("kind=deal_fee") == ["Tuesday's", "Monday's"]
    assert titles("kind=payout") == []
    assert titles("since=2026-03-03") == ["Tuesday's"]
    assert titles("until=2026-03-02") == ["Monday's"]


def test_bad_days_are_refused_in_a_sentence_and_the_list_stays(cast, client, bobs_day):
    bob = client("analytics", cast.bob)

    answer = bob.get("/earnings?since=yesterday")
    page = bob.get("/earnings?since=yesterday", html=True)

    assert answer.status_code == page.status_code == 422
    assert set(answer.json["fields"]) == {"since"}
    assert "Sweep" in page.text
    assert "like 2026-01-31" in page.text


def test_pages_lead_to_every_transfer_once(cast, client, books, replayed):
    books.deal(cast.bob, *(books.task(f"Task {n}") for n in range(60)))
    replayed()
    bob = client("analytics", cast.bob)

    seen, path = [], "/earnings"
    while path:
        facts = bob.get(path).json
        seen += [one["id"] for one in facts["transfers"]]
        path = facts["next"] and f"/earnings?cursor={facts['next']}"

    assert len(seen) == len(set(seen)) == 60
    assert seen == sorted(seen, reverse=True)


def test_csv_streams_everything_the_filter_matches(cast, client, books, replayed, monkeypatch):
    monkeypatch.setattr(names, "CHUNK", 7)
    tasks = [books.task("=1+1"), *(books.task(f"Task {n}") for n in range(40))]
    books.deal(cast.bob, *tasks)
    books.complete(cast.bob, tasks[0])
    replayed()

    answer = client("analytics", cast.bob).get("/earnings.csv?kind=deal_fee")

    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(table) == 41
    assert ",".join(table[0]) == "id,kind,amount_cents,day,posted_at,task_id,task_title"
    assert {row["amount_cents"] for row in table} == {"-1000"}
    assert "'=1+1" in {row["task_title"] for row in table}
    assert {UUID(row["task_id"]) for row in table} == set(tasks)


def test_accountants_and_admins_see_anybodys(cast, client, bobs_day):
    for person in (cast.dan, cast.fay):
        facts = client("analytics", person).get(f"/earnings/{cast.bob.id}").json

        assert facts["worker"] == {"id": str(cast.bob.id), "name": "Bob"}
        assert len(facts["transfers"]) == 3
        table = client("analytics", person).get(f"/earnings/{cast.bob.id}.csv").text
        assert len(table.splitlines()) == 4


@pytest.mark.parametrize("suffix", ["", ".csv"])
def test_nobody_else_does(cast, client, bobs_day, suffix):
    for person in (cast.ann, cast.bob, cast.cat):
        answer = client("analytics", person).get(f"/earnings/{cast.bob.id}{suffix}")

        assert answer.status_code == 403


def test_an_unknown_person_is_not_there(cast, client):
    assert client("analytics", cast.dan).get(f"/earnings/{uuid4()}").status_code == 404
    assert client("analytics", cast.dan).get(f"/earnings/{uuid4()}.csv").status_code == 404
    assert client("analytics", cast.dan).get("/earnings/not-an-id").status_code == 404


def test_people_are_found_by_name_with_their_balances(cast, client, bobs_day):
    dan = client("analytics", cast.dan)

    everybody = dan.get("/earnings/people").json["people"]
    [found] = dan.get("/earnings/people?q=BO").json["people"]

    assert [one["name"] for one in everybody] == ["Ann", "Bob", "Cat", "Dan", "Eve", "Fay"]
    assert (found["name"], found["balance_cents"]) == ("Bob", 2500 - 1200 - 1900)
    assert client("analytics", cast.bob).get("/earnings/people").status_code == 403


def test_without_the_tracker_money_is_shown_without_titles(cast, client, bobs_day, monkeypatch):
    def gone(*_: object) -> None:
        raise Away("The tracker database does not answer; please try again.")

    monkeypatch.setattr(names.sources["tracker"], "reading", gone)

    facts = client("analytics", cast.bob).get("/earnings").json

    assert [one["task"]["title"] for one in facts["transfers"]] == [None, None, None]
    assert facts["balance_cents"] == 2500 - 1200 - 1900
