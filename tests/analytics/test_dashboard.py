"""`/analytics` and `/accounting`: the company, day by day."""

import csv
import html
import io
import re
from datetime import date
from xml.etree import ElementTree

import pytest

PAGES = ["/analytics", "/analytics.csv", "/analytics/chart.svg"]
BOOKS = ["/accounting", "/accounting.csv"]


@pytest.fixture
def week(cast, books, replayed):
    """Monday earns 9.00 and pays 40.00 for its dearest; Tuesday is open and has one of 25.00."""
    cheap, dear = (
        books.task("Cheap", fee=1000, reward=2000),
        books.task("Dear", fee=1900, reward=4000),
    )
    books.deal(cast.bob, cheap, dear)
    books.complete(cast.bob, cheap)
    books.complete(cast.bob, dear)
    books.next_day()
    late, lazy = books.task("Late", fee=1500, reward=2500), books.task("Lazy", fee=1100)
    books.deal(cast.bob, late)
    books.deal(cast.cat, lazy)
    books.complete(cast.bob, late)
    replayed()
    return {"Dear": str(dear), "Late": str(late)}


def test_the_dashboard_says_what_each_day_made(cast, client, week):
    facts = client("analytics", cast.fay).get("/analytics").json

    late = {"id": week["Late"], "title": "Late", "reward_cents": 2500}
    dear = {"id": week["Dear"], "title": "Dear", "reward_cents": 4000}
    tuesday = {
        "day": "2026-03-03",
        "company_cents": 100,
        "fees_cents": 2600,
        "rewards_cents": 2500,
        "workers_in_minus": 1,
        "dearest_task": late,
    }
    monday = {
        "day": "2026-03-02",
        "company_cents": -3100,
        "fees_cents": 2900,
        "rewards_cents": 6000,
        "workers_in_minus": 0,
        "dearest_task": dear,
    }
    assert facts["today"] == tuesday
    assert facts["days"] == [tuesday, monday]
    assert facts["dearest"] == {"day": late, "week": dear, "month": dear}
    assert {"as_of", "lag_s"} <= set(facts)


def test_a_week_is_the_iso_week_and_a_month_the_calendar_month(cast, client, books, replayed):
    """The open day is Wednesday the 1st of April: its week began in March, its month did not."""
    for day, title, reward in ((29, "Sunday", 4000), (30, "Monday", 3500), (32, "Wednesday", 3000)):
        while books.now.date() < date(2026, 3, 1).replace(month=3 + day // 32, day=day % 31 or 31):
            books.next_day()
        task = books.task(title, reward=reward)
        books.complete(cast.bob, task)
    replayed()

    dearest = client("analytics", cast.fay).get("/analytics").json["dearest"]

    assert {name: one["title"] for name, one in dearest.items()} == {
        "day": "Wednesday",
        "week": "Monday",
        "month": "Wednesday",
    }


def test_of_equal_rewards_the_earliest_posted_is_the_dearest(cast, client, books, replayed):
    later, earlier = books.task("Later", reward=4000), books.task("Earlier", reward=4000)
    books.complete(cast.bob, earlier)
    books.complete(cast.cat, later)
    replayed()

    dearest = client("analytics", cast.fay).get("/analytics").json["dearest"]

    assert [one["title"] for one in dearest.values()] == ["Earlier"] * 3


def test_a_day_without_rewards_has_no_dearest_task(cast, client, books, replayed):
    books.deal(cast.bob, books.task("Open"))
    replayed()

    facts = client("analytics", cast.fay).get("/analytics").json

    assert facts["today"]["dearest_task"] is None
    assert facts["dearest"] == {"day": None, "week": None, "month": None}


def test_before_the_books_are_opened_there_is_nothing(cast, client, replayed):
    facts = client("analytics", cast.fay).get("/analytics").json

    assert (facts["today"], facts["days"]) == (None, [])
    assert client("analytics", cast.fay).get("/analytics", html=True).status_code == 200


def test_the_period_is_inclusive_and_holds_business_days_only(cast, client, week):
    fay = client("analytics", cast.fay)

    def days(query: str) -> list[str]:
        return [one["day"] for one in fay.get(f"/analytics?{query}").json["days"]]

    assert days("since=2026-03-03") == ["2026-03-03"]
    assert days("until=2026-03-02") == ["2026-03-02"]
    assert days("since=2026-03-02&until=2026-03-03") == ["2026-03-03", "2026-03-02"]
    assert days("since=2020-01-01&until=2020-12-31") == []
    past = fay.get("/analytics?since=2020-01-01&until=2020-12-31").json
    assert past["today"]["day"] == "2026-03-03"
    assert past["dearest"]["week"]["title"] == "Dear"


def test_without_a_period_it_is_the_last_thirty_days(cast, client, books, replayed):
    for _ in range(31):
        books.next_day()
    replayed()

    days = client("analytics", cast.fay).get("/analytics").json["days"]

    assert (len(days), days[0]["day"], days[-1]["day"]) == (30, "2026-04-02", "2026-03-04")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=soon", "since"),
        ("until=2026-02-30", "until"),
        ("since=2026-03-03&until=2026-03-02", "until"),
    ],
)
def test_bad_days_are_refused_and_the_page_stays(cast, client, week, query, field):
    fay = client("analytics", cast.fay)

    answer = fay.get(f"/analytics?{query}")
    page = fay.get(f"/analytics?{query}", html=True)

    assert answer.status_code == page.status_code == 422
    assert set(answer.json) == {"error", "fields"}
    assert set(answer.json["fields"]) == {field}
    assert "Dear" in page.text


def test_the_page_shows_figures_chart_and_age(cast, client, week):
    text = client("analytics", cast.fay).get("/analytics", html=True).text

    assert "Dearest task of the week" in text
    assert "As of" in text
    assert "/analytics/chart.svg?since=2026-03-02&amp;until=2026-03-03" in text
    assert " style=" not in text


def test_the_chart_is_an_image_without_script(cast, client, week):
    answer = client("analytics", cast.fay).get("/analytics/chart.svg")

    assert answer.mimetype == "image/svg+xml"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    tags = {
        element.tag.rpartition("}")[2] for element in ElementTree.fromstring(answer.data).iter()
    }
    assert "rect" in tags
    assert "script" not in tags
    assert b"googleapis" not in answer.data


def test_csv_holds_the_same_days(cast, client, week):
    text = client("analytics", cast.fay).get("/analytics.csv").text

    tuesday, monday = csv.DictReader(io.StringIO(text))
    assert monday["dearest_task_title"] == "Dear"
    assert monday["dearest_task_reward_cents"] == "4000"
    assert (tuesday["company_cents"], monday["company_cents"]) == ("100", "-3100")


def test_only_admins_see_analytics(cast, client, week):
    for person in cast:
        for path in PAGES:
            status = client("analytics", person).get(path).status_code
            assert status == (200 if person.role == "admin" else 403)


def test_accounting_shows_the_company_by_day(cast, client, week):
    facts = client("analytics", cast.dan).get("/accounting").json

    assert facts["open_day"] == "2026-03-03"
    assert [one["state"] for one in facts["days"]] == ["open", "closed"]
    assert facts["days"][1] == {
        "day": "2026-03-02",
        "state": "closed",
        "company_cents": -3100,
        "fees_cents": 2900,
        "rewards_cents": 6000,
        "payouts_cents": 3100,
        "workers_in_minus": 0,
    }
    assert "Books open for" in client("analytics", cast.dan).get("/accounting", html=True).text


def test_accounting_is_paged_and_its_csv_is_not(cast, client, books, replayed):
    for _ in range(30):
        books.next_day()
    replayed()
    dan = client("analytics", cast.dan)

    first = dan.get("/accounting").json
    second = dan.get(f"/accounting?cursor={first['next']}").json

    days = [one["day"] for one in first["days"] + second["days"]]
    assert len(days) == len(set(days)) == 31
    assert days == sorted(days, reverse=True)
    assert second["next"] is None
    assert len(dan.get("/accounting.csv").text.splitlines()) == 32


def test_only_accountants_and_admins_see_accounting(cast, client, week):
    for person in cast:
        for path in BOOKS:
            status = client("analytics", person).get(path).status_code
            assert status == (200 if person.role in ("accountant", "admin") else 403)


def test_today_stands_beside_yesterday_and_the_same_day_of_last_week(cast, client, books, replayed):
    for n in range(8):
        books.deal(cast.bob, books.task(f"Task {n}", fee=1000 + n))
        books.next_day()
    books.deal(cast.bob, books.task("Last", fee=1900))
    replayed()

    facts = client("analytics", cast.fay).get("/analytics").json

    shown = {name: facts[name]["day"] for name in ("today", "yesterday", "week_ago")}
    assert shown == {"today": "2026-03-10", "yesterday": "2026-03-09", "week_ago": "2026-03-03"}
    assert [facts[name]["company_cents"] for name in shown] == [1900, 1007, 1001]


def test_a_period_stands_beside_as_many_days_before(cast, client, books, replayed):
    for n in range(5):
        books.deal(cast.bob, books.task(f"Task {n}", fee=1000 + n))
        books.next_day()
    replayed()
    fay = client("analytics", cast.fay)

    facts = fay.get("/analytics?since=2026-03-04&until=2026-03-05").json
    first = fay.get("/analytics?since=2026-03-02&until=2026-03-03").json
    far = fay.get("/analytics?since=0001-01-01&until=9999-12-31").json

    assert facts["period"] == {
        "since": "2026-03-04",
        "until": "2026-03-05",
        "days": 2,
        "company_cents": 2005,
        "fees_cents": 2005,
        "rewards_cents": 0,
    }
    assert (facts["previous"]["since"], facts["previous"]["company_cents"]) == ("2026-03-02", 2001)
    assert [day["day"] for day in facts["days"]] == ["2026-03-05", "2026-03-04"]
    assert first["previous"] is None
    assert (far["previous"], far["period"]["days"]) == (None, 6)


def test_who_came_into_the_minus_is_counted_and_who_was_in_it_is_listed(
    cast, users, client, books, replayed
):
    books.deal(cast.bob, books.task("Monday's"))
    books.next_day()
    books.deal(cast.cat, books.task("Tuesday's"))
    replayed()
    fay = client("analytics", cast.fay)

    facts = fay.get("/analytics").json
    monday = fay.get("/earnings/people?balance=minus&until=2026-03-02").json["people"]

    assert (facts["today"]["workers_in_minus"], facts["newly_in_minus"]) == (2, 1)
    assert [one["name"] for one in monday] == ["Bob"]


def test_every_figure_opens_the_rows_it_sums(cast, users, client, week):
    fay = client("analytics", cast.fay)
    text = fay.get("/analytics", html=True).text

    links = set(re.findall(r'href="(/accounting/ledger[^"]+)"', text))
    assert len(links) >= 9
    for link in links:
        facts = fay.get(html.unescape(link)).json
        signed = [
            one["amount_cents"] * (1 if one["credit"] == "company:income" else -1)
            for one in facts["transfers"]
        ]
        assert facts["sum_cents"] == sum(signed), link
