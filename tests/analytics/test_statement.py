"""The statement: the balance each transfer led to, days, months, and what a balance is made of."""

from uuid import uuid4

import pytest

from analytics import names
from common.errors import Away


@pytest.fixture
def two_days(cast, users, books, replayed):
    """Bob is paid 18.00 for Monday; on Tuesday he is dealt 30 tasks at 10.00 and does one."""
    swept = books.task("Sweep", fee=1200, reward=3000)
    books.deal(cast.bob, swept)
    books.complete(cast.bob, swept)
    books.next_day()
    tasks = [books.task(f"Task {n}", fee=1000, reward=4000) for n in range(30)]
    books.deal(cast.bob, *tasks)
    books.complete(cast.bob, tasks[0])
    replayed()


def walk(client, path):
    """The transfers of all pages from this one on."""
    base, found = path, []
    while path:
        facts = client.get(path).json
        found += facts["transfers"]
        path = facts["next"] and f"{base}{'&' if '?' in base else '?'}cursor={facts['next']}"
    return found


def test_each_transfer_says_what_the_balance_was_after_it(cast, client, two_days):
    rows = walk(client("analytics", cast.bob), "/earnings")

    balance = 0
    for row in reversed(rows):
        balance += row["amount_cents"]
        assert row["after_cents"] == balance
    assert rows[0]["after_cents"] == 4000 - 30 * 1000
    assert len(rows) == 34


def test_a_period_begins_and_ends_with_the_balance_of_its_days(cast, client, two_days):
    bob = client("analytics", cast.bob)

    monday = walk(bob, "/earnings?until=2026-03-02")
    tuesday = walk(bob, "/earnings?since=2026-03-03")

    assert [row["after_cents"] for row in monday] == [0, 1800, -1200]
    assert tuesday[-1]["after_cents"] == tuesday[-1]["amount_cents"] == -1000


def test_of_one_kind_alone_no_balance_follows(cast, client, two_days):
    rows = walk(client("analytics", cast.bob), "/earnings?kind=deal_fee")

    assert {row["after_cents"] for row in rows} == {None}
    assert len(rows) == 31


def test_days_and_months_end_with_a_balance(cast, client, two_days):
    bob, dan = client("analytics", cast.bob), client("analytics", cast.dan)

    days = bob.get("/earnings/days").json["days"]
    months = dan.get(f"/earnings/{cast.bob.id}/months").json["months"]

    assert [(row["since"], row["balance_cents"]) for row in days] == [
        ("2026-03-03", -26000),
        ("2026-03-02", 0),
    ]
    assert days[1]["payouts_cents"] == 1800
    assert months == [
        {
            "since": "2026-03-01",
            "until": "2026-03-03",
            "rewards_cents": 7000,
            "fees_cents": 31200,
            "payouts_cents": 1800,
            "balance_cents": -26000,
        }
    ]
    assert len(bob.get("/earnings/days.csv").text.splitlines()) == 3


def test_a_balance_is_the_sum_of_what_was_posted_since_it_was_zero(cast, client, two_days):
    facts = client("analytics", cast.bob).get("/earnings/why").json

    assert facts["sums"] == {
        "zero_day": "2026-03-02",
        "since": "2026-03-03",
        "rewards_cents": 4000,
        "fees_cents": 30000,
        "payouts_cents": 0,
    }
    rows = walk(client("analytics", cast.bob), "/earnings/why")
    assert sum(row["amount_cents"] for row in rows) == facts["balance_cents"] == -26000


@pytest.mark.parametrize("page", ["", "/days", "/months", "/why"])
def test_pages_of_money_are_pages_for_everybody_it_may_concern(cast, client, two_days, page):
    for person, path, status in (
        (cast.bob, f"/earnings{page}", 200),
        (cast.ann, f"/earnings{page}", 200),
        (cast.dan, f"/earnings/{cast.bob.id}{page}", 200),
        (cast.cat, f"/earnings/{cast.bob.id}{page}", 403),
        (cast.dan, f"/earnings/{uuid4()}{page}", 404),
    ):
        answer = client("analytics", person).get(path, html=True)

        assert answer.status_code == status, (path, person.name)


def test_the_chart_is_of_the_days(cast, client, two_days):
    answer = client("analytics", cast.bob).get("/earnings/chart.svg")

    assert answer.mimetype == "image/svg+xml"
    assert b"Balance at the end" in answer.data
    assert (
        client("analytics", cast.cat).get(f"/earnings/{cast.bob.id}/chart.svg").status_code == 403
    )


def test_a_fee_is_explained_by_its_event_its_rule_and_its_draw(cast, client, two_days):
    bob = client("analytics", cast.bob)
    only = bob.get("/earnings?kind=completion_reward&until=2026-03-02")
    [newest] = only.json["transfers"]

    facts = bob.get(f"/earnings/transfers/{newest['id']}").json
    page = bob.get(f"/earnings/transfers/{newest['id']}", html=True).text

    assert (facts["event"], facts["task"]["title"]) == ("task.completed", "Sweep")
    assert facts["debit"] == "company:expense"
    assert facts["draws"][0]["label"] == "reward"
    assert "is paid its reward, once a task" in page
    assert "⌊u32(SHA-256(" in page


def test_a_transfer_is_shown_to_its_person_and_accountants_only(cast, client, two_days):
    row = client("analytics", cast.bob).get("/earnings").json["transfers"][0]

    statuses = {
        person.name: client("analytics", person).get(f"/earnings/transfers/{row['id']}").status_code
        for person in (cast.ann, cast.bob, cast.cat, cast.dan, cast.fay)
    }

    assert statuses == {"Ann": 404, "Bob": 200, "Cat": 404, "Dan": 200, "Fay": 200}
    unknown = client("analytics", cast.dan).get(f"/earnings/transfers/{uuid4()}")
    assert unknown.status_code == 404


def test_without_the_tracker_a_transfer_is_explained_without_its_run(
    cast, client, two_days, monkeypatch
):
    row = client("analytics", cast.bob).get("/earnings").json["transfers"][0]

    def gone(*_: object) -> None:
        raise Away("The tracker database does not answer; please try again.")

    monkeypatch.setattr(names.sources["tracker"], "reading", gone)
    facts = client("analytics", cast.bob).get(f"/earnings/transfers/{row['id']}").json

    assert facts["run"] is None
    assert facts["task"]["title"] is None


def test_those_in_the_minus_are_listed_lowest_first(cast, client, two_days, books, replayed):
    books.next_day()
    books.deal(cast.cat, books.task("Late", fee=1500))
    replayed()
    dan = client("analytics", cast.dan)

    minus = dan.get("/earnings/people?balance=minus").json["people"]
    newly = dan.get("/earnings/people?balance=newly").json["people"]

    assert [(one["name"], one["balance_cents"]) for one in minus] == [
        ("Bob", -26000),
        ("Cat", -1500),
    ]
    assert [one["name"] for one in newly] == ["Cat"]


def test_a_day_that_is_none_is_explained_and_people_stay(cast, client, two_days):
    dan = client("analytics", cast.dan)

    page = dan.get("/earnings/people?balance=minus&until=x", html=True)

    assert page.status_code == 422
    assert "Bob" in page.text
    assert client("analytics", cast.cat).get("/earnings/people?until=x").status_code == 403
