import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounting import jobs, payouts
from accounting.models import primary
from common import clock
from common.events import LetterSettled
from tests.accounting.conftest import MONDAY, NOON, added, balances, completed, tell
from tests.conftest import Cast, Client

DAY = timedelta(days=1)

Clients = Callable[..., Client]
Wait = Callable[[], None]


@pytest.fixture
def dan(client: Clients, cast: Cast) -> Client:
    """The accountant; Bob has earned something and Cat has not."""
    tell(added(cast.bob.id), completed(cast.bob.id), completed(cast.bob.id), added(cast.cat.id))
    return client("accounting", cast.dan)


def close(who: Client, day: Any = MONDAY, **more: Any) -> Any:
    return who.post("/payout-runs", {"day": str(day), **more.pop("data", {})}, **more)


def test_an_accountant_closes_the_open_day(dan: Client) -> None:
    answer = close(dan)

    assert answer.status_code == 201
    assert answer.json == {
        "id": answer.json["id"],
        "day": "2026-03-02",
        "state": "requested",
        "total": 2,
        "done": 0,
        "paid_cents": 0,
    }
    listed = dan.get("/payout-runs").json
    assert (listed["payout_runs"], listed["next"]) == ([answer.json], None)


def test_a_browser_is_led_to_the_run(dan: Client) -> None:
    answer = close(dan, html=True)

    assert answer.status_code == 303
    page = dan.get(answer.headers["Location"], html=True)
    assert "Payouts of Mon 02 Mar 2026" in page.text
    assert "data-live" in page.text


def test_the_same_form_twice_closes_once(dan: Client) -> None:
    first = close(dan, data={"form_key": "k"})
    second = close(dan, data={"form_key": "k"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json == second.json


def test_a_closed_day_and_one_to_come_are_refused(dan: Client) -> None:
    close(dan)

    again, ahead = close(dan), close(dan, MONDAY + DAY)

    assert (again.status_code, ahead.status_code) == (409, 409)
    assert "already closed" in again.json["error"]
    assert "has not begun" in ahead.json["error"]


@pytest.mark.parametrize("day", ["", "soon", "2026-02-30", "20260302", "2026-W10-1"])
def test_what_is_no_date_is_refused_at_its_field(dan: Client, day: str) -> None:
    answer, page = close(dan, day), close(dan, day, html=True)

    assert (answer.status_code, page.status_code) == (422, 422)
    assert list(answer.json["fields"]) == ["day"]
    assert "Please give a day like" in page.text


def test_others_see_and_close_nothing(dan: Client, client: Clients, cast: Cast) -> None:
    run = close(dan).json

    for who in (cast.ann, cast.bob):
        other = client("accounting", who)
        assert close(other, MONDAY + DAY).status_code == 403
        for path in ("/payout-runs", "/payout-runs.csv", f"/payout-runs/{run['id']}"):
            assert other.get(path).status_code == 403
    assert client("accounting", cast.fay).get("/payout-runs").status_code == 200


def test_a_run_shows_who_was_paid_and_what_became_of_the_letter(
    dan: Client, cast: Cast, replayed: Wait
) -> None:
    due = balances()[cast.bob.id]
    run = close(dan).json
    payouts.pay_all(now=NOON)
    replayed()
    path = f"/payout-runs/{run['id']}"
    payout = {"worker": {"id": str(cast.bob.id), "name": "Bob"}, "amount_cents": due}

    before = dan.get(path).json
    payout_id = primary.value("SELECT id FROM transfer WHERE kind = 'payout'")
    tell(LetterSettled(letter_id=run["id"], cause_id=payout_id, state="sent", settled_at=NOON))
    replayed()
    after = dan.get(path).json

    done = {"state": "done", "done": 2, "paid_cents": due}
    agreed = before.pop("reconciliation")
    assert before == {**run, **done, "payouts": [{**payout, "letter": "queued"}], "next": None}
    assert agreed.pop("agrees")
    assert agreed == {
        f"{part}_{unit}": value
        for part in ("paid", "moved", "told")
        for unit, value in (("count", 1), ("cents", due))
    }
    assert after["payouts"] == [{**payout, "letter": "sent"}]
    page = dan.get(path, html=True).text
    assert "Bob" in page
    assert "sent" in page
    assert "Letters asked for" in page
    assert "data-live" not in page


def test_lists_go_on_page_by_page_and_whole_as_csv(
    dan: Client, client: Clients, cast: Cast, replayed: Wait
) -> None:
    for n in range(30):
        with clock.hold(NOON + n * DAY):
            close(dan, MONDAY + n * DAY)
            payouts.pay_all(now=NOON)
    replayed()

    first = dan.get("/payout-runs").json
    second = dan.get(f"/payout-runs?cursor={first['next']}").json
    rows = list(csv.DictReader(io.StringIO(dan.get("/payout-runs.csv").text)))

    days = [run["day"] for run in first["payout_runs"] + second["payout_runs"]]
    assert days == [str(MONDAY + n * DAY) for n in range(29, -1, -1)]
    assert second["next"] is None
    assert [row["day"] for row in rows] == days
    assert list(rows[0]) == ["id", "day", "state", "total", "done", "paid_cents"]


def test_payouts_as_csv_carry_the_json_names(dan: Client, cast: Cast, replayed: Wait) -> None:
    due = balances()[cast.bob.id]
    run = close(dan).json
    payouts.pay_all(now=NOON)
    replayed()

    text = dan.get(f"/payout-runs/{run['id']}.csv").text

    (row,) = csv.DictReader(io.StringIO(text))
    assert list(row) == ["worker", "amount_cents", "letter"]
    assert (row["amount_cents"], row["letter"]) == (str(due), "queued")
    assert "Bob" in row["worker"]


def test_the_page_says_what_closing_would_do(dan: Client, replayed: Wait) -> None:
    replayed()
    page = dan.get("/payout-runs", html=True).text
    preview = dan.get("/payout-runs").json["preview"]

    assert (preview["workers"], preview["workers_in_minus"]) == (1, 1)
    assert "Books open for Mon 02 Mar 2026" in page
    assert "to 1 worker" in page
    assert "1 worker in the minus" in page
    assert 'value="2026-03-02"' in page


def test_a_run_that_is_not_there_is_not_found(dan: Client, cast: Cast) -> None:
    assert dan.get(f"/payout-runs/{cast.bob.id}").status_code == 404
    assert dan.get(f"/payout-runs/{cast.bob.id}.csv").status_code == 404


def test_the_page_says_when_the_books_were_verified_and_what_that_found(
    dan: Client, replayed: Wait
) -> None:
    before = dan.get("/payout-runs").json["verification"]
    close(dan)
    jobs.tick()
    replayed()
    good = dan.get("/payout-runs")
    primary.run("UPDATE account SET carried_cents = 5 WHERE name LIKE 'worker:%%'")
    with clock.hold(NOON + 2 * DAY):
        jobs.tick()
    replayed()
    page = dan.get("/payout-runs", html=True).text

    assert before is None
    assert good.json["verification"]["ok"]
    assert good.json["verification"]["at"] == "2026-03-02T12:00:00Z"
    assert "does not agree" in page
    assert "carried 5" in page


def test_a_run_that_does_not_reconcile_says_so(dan: Client, replayed: Wait) -> None:
    run = close(dan).json
    before = dan.get(f"/payout-runs/{run['id']}").json["reconciliation"]
    payouts.pay_batch(now=NOON, limit=1)
    primary.run("DELETE FROM outbox WHERE type = 'payout.made'")
    payouts.pay_all(now=NOON)
    replayed()

    shown = dan.get(f"/payout-runs/{run['id']}").json["reconciliation"]

    assert before is None
    assert not shown["agrees"]
    assert (shown["paid_count"], shown["moved_count"], shown["told_count"]) == (1, 1, 0)
    assert "does not agree" in dan.get(f"/payout-runs/{run['id']}", html=True).text
