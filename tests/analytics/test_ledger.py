"""The ledger browser: by person, kind, task and day."""

import csv
import io
from datetime import timedelta

import pytest

from common import chance, clock
from tracker import actions
from tracker.domain import Draft


@pytest.fixture
def history(cast, users, books, pump, replayed):
    """Two tasks added and dealt by lot, one of them done, the other withdrawn; then a new day."""
    with clock.hold(books.now):
        first, second = (
            actions.add_task(draft, by=cast.ann.id, now=books.now, seed=chance.new_seed())
            for draft in (Draft("Sweep", "SHOP-1"), Draft("Dust", "SHOP-12"))
        )
        books.draw_prices(first, second)
        holder = actions.primary.value("SELECT assignee_id FROM deal WHERE task_id = %s", first)
        actions.complete_task(first, by=holder, now=books.now)
        actions.withdraw_task(second, by=cast.ann.id, now=books.now)
        pump()
    books.next_day()
    books.now += timedelta(seconds=1)
    replayed()
    return first, second, holder


def kinds(answer):
    return sorted(row["kind"] for row in answer.json["transfers"])


def test_everything_is_there_with_both_accounts(cast, client, history):
    facts = client("analytics", cast.dan).get("/accounting/ledger").json

    assert sorted(row["kind"] for row in facts["transfers"]) == [
        "completion_reward", "deal_fee", "deal_fee", "payout", "reversal",
    ]  # fmt: skip
    [reward] = [row for row in facts["transfers"] if row["kind"] == "completion_reward"]
    assert (reward["debit"], reward["credit"]) == ("company:expense", f"worker:{history[2]}")
    assert reward["task"]["title"] == "Sweep"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=payout", ["payout"]),
        ("kind=fees", ["deal_fee", "deal_fee", "reversal"]),
        ("kind=rewards", ["completion_reward"]),
        ("kind=company", ["completion_reward", "deal_fee", "deal_fee", "reversal"]),
        ("since=2026-03-03", []),
        ("since=2026-03-02&until=2026-03-02&kind=reversal", ["reversal"]),
        ("task=SHOP-1", ["completion_reward", "deal_fee"]),
        ("task=shop-12", ["deal_fee", "reversal"]),
    ],
)
def test_filters_are_in_the_address(cast, client, history, query, found):
    assert kinds(client("analytics", cast.dan).get(f"/accounting/ledger?{query}")) == found


def test_a_task_is_found_by_its_address_and_a_person_by_part_of_a_name(cast, client, history):
    first, _, holder = history
    dan = client("analytics", cast.dan)
    [name] = [one.name for one in cast if one.id == holder]

    by_address = dan.get(f"/accounting/ledger?task=http://x/tasks/{first}")
    by_name = dan.get(f"/accounting/ledger?person={name.lower()}")
    by_id = dan.get(f"/accounting/ledger?person={holder}")

    assert kinds(by_address) == ["completion_reward", "deal_fee"]
    assert kinds(by_name) == kinds(by_id)
    assert {row["worker"]["name"] for row in by_name.json["transfers"]} == {name}


def test_the_sum_is_what_the_rows_sum_to(cast, client, history):
    facts = client("analytics", cast.dan).get("/accounting/ledger?kind=company").json

    company = sum(
        row["amount_cents"] * (1 if row["credit"] == "company:income" else -1)
        for row in facts["transfers"]
    )
    assert facts["sum_cents"] == company
    person = client("analytics", cast.dan).get(
        f"/accounting/ledger?kind=rewards&person={history[2]}"
    )
    assert person.json["sum_cents"] == -person.json["transfers"][0]["amount_cents"]


@pytest.mark.parametrize(
    ("query", "field"),
    [("person=nobody", "person"), ("task=NO-1", "task"), ("task=x", "task"), ("since=x", "since")],
)
def test_a_filter_that_means_nothing_is_explained_and_the_list_stays(
    cast, client, history, query, field
):
    dan = client("analytics", cast.dan)

    answer = dan.get(f"/accounting/ledger?{query}")
    page = dan.get(f"/accounting/ledger?{query}", html=True)

    assert answer.status_code == page.status_code == 422
    assert set(answer.json["fields"]) == {field}
    assert "Sweep" in page.text


def test_csv_holds_every_row(cast, client, history):
    text = client("analytics", cast.dan).get("/accounting/ledger.csv?kind=fees").text

    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["kind"] for row in rows] == ["reversal", "deal_fee", "deal_fee"]


def test_only_accountants_and_admins_see_it(cast, client, history):
    for person in cast:
        for path in ("/accounting/ledger", "/accounting/ledger.csv"):
            status = client("analytics", person).get(path).status_code
            assert status == (200 if person.role in ("accountant", "admin") else 403)


def test_a_draw_is_made_again_and_agrees(cast, client, history):
    dan = client("analytics", cast.dan)
    rows = dan.get("/accounting/ledger?kind=deal_fee").json["transfers"]

    for row in rows:
        facts = dan.get(f"/earnings/transfers/{row['id']}").json

        assert [(each["label"], each["agrees"]) for each in facts["draws"]] == [
            ("deal", True), ("fee", True),
        ]  # fmt: skip
        assert facts["event"] == "task.added"
