"""`/accounting` and `/analytics`: the company by day, and the admin's dashboard."""

from datetime import date

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
    known = names.titles(row["task_id"] for row in rows)
    today = reports.today(rows)
    return {
        "today": day_of(today, known) if today else None,
        "days": [day_of(row, known) for row in rows if row["is_asked"]],
        "dearest": {
            name: dearest_of(row, known) if row else None
            for name, row in reports.dearest(rows).items()
        },
        **r.age,
    }


def day_of(row: Row, known: dict) -> Row:
    shown = {name: row[name] for name in (*DAY, "workers_in_minus")}
    return {**shown, "dearest_task": dearest_of(row, known)}


def dearest_of(row: Row, known: dict) -> Row | None:
    return names.task(row["task_id"], known, reward_cents=row["reward_cents"])


@bp.get("/analytics")
@respond.form("analytics/dashboard.html", dashboard)
def analytics() -> Response:
    require("admin")
    return respond.page("analytics/dashboard.html", dashboard(Period.read(request.args)))


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
    svg = charts.company([row for row in reversed(rows) if row["is_asked"]], [])
    answer = Response(svg, mimetype="image/svg+xml")
    answer.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return answer
