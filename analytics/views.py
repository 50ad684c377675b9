"""`/accounting` and `/analytics`: the company by day, and the admin's dashboard."""

from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, request

from analytics import charts, names, reports
from analytics.period import Period
from analytics.sources import sources
from common.db import Row
from common.web import paging, reading, require, respond

bp = Blueprint("views", __name__)

DAY = ["day", "company_cents", "fees_cents", "rewards_cents"]
ACCOUNTING = [*DAY, "payouts_cents", "workers_in_minus", "state"]
TASK = ["dearest_task_id", "dearest_task_title", "dearest_task_reward_cents"]
ANALYTICS = [*DAY, "workers_in_minus", *TASK]


@bp.get("/accounting")
def accounting() -> Response:
    require("accountant", "admin")
    r = reading(sources["accounting"])
    rows = reports.days(r.db, paging.asked(date), paging.SIZE + 1)
    rows, following = paging.cut(rows, key=("day",))
    facts = {"open_day": reports.open_day(r.db), "days": rows, "next": following, **r.age}
    return respond.page("analytics/accounting.html", facts)


@bp.get("/accounting.csv")
def accounting_table() -> Response:
    require("accountant", "admin")
    rows = reports.every_day(reading(sources["accounting"]).db)
    return respond.csv_stream("accounting.csv", ACCOUNTING, rows)


def dashboard(period: Period | None = None) -> Row:
    """The dashboard's facts; without a period that could be read, of the last 30 days."""
    r = reading(sources["accounting"])
    rows = reports.dashboard(r.db, period or Period())
    known = names.titles(row["task_id"] for row in rows if not row["is_before"])
    asked, before = chosen(rows, "is_asked"), chosen(rows, "is_before")
    one_day = {"today": 0, "yesterday": 1, "week_ago": 7}
    return {
        **{name: day_of(reports.ago(rows, days), known) for name, days in one_day.items()},
        "days": [day_of(row, known) for row in asked],
        "dearest": {
            name: dearest_of(row, known) if row else None
            for name, row in reports.dearest(rows).items()
        },
        "newly_in_minus": reports.newly_in_minus(r.db),
        "period": reports.summed(asked),
        "previous": reports.summed(before),
        **r.age,
    }


def chosen(rows: list[Row], mark: str) -> list[Row]:
    return [row for row in rows if row[mark]]


def day_of(row: Row | None, known: dict) -> Any:
    """DAY of the contract, None for none."""
    if row is None:
        return None
    shown = {name: row[name] for name in (*DAY, "workers_in_minus")}
    return {**shown, "dearest_task": dearest_of(row, known)}


def dearest_of(row: Row, known: dict) -> Row | None:
    return names.task(row["task_id"], known, reward_cents=row["reward_cents"])


@bp.get("/analytics")
@respond.form("analytics/dashboard.html", lambda: {**dashboard(), "ago": ago})
def analytics() -> Response:
    require("admin")
    return respond.page("analytics/dashboard.html", dashboard(Period.read(request.args)), ago=ago)


def ago(day: date, days: int) -> date:
    return day - timedelta(days=days)


@bp.get("/analytics.csv")
def analytics_table() -> Response:
    require("admin")
    days = dashboard(Period.read(request.args))["days"]
    return respond.csv_stream("analytics.csv", ANALYTICS, map(flat, days))


def flat(day: Row) -> Row:
    task = day["dearest_task"] or {}
    return day | {name: task.get(name.removeprefix("dearest_task_")) for name in TASK}


@bp.get("/analytics/chart.svg")
def chart() -> Response:
    require("admin")
    rows = reports.dashboard(reading(sources["accounting"]).db, Period.read(request.args))
    rows.reverse()
    return charts.answer(charts.company(chosen(rows, "is_asked"), chosen(rows, "is_before")))
