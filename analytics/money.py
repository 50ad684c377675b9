"""`/earnings`: everybody's own money, and anybody's for accountants and admins."""

from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, g, request

from analytics import causes, charts, names, reports, statement
from analytics.period import Period
from analytics.sources import sources
from common.db import Row
from common.errors import NotFound
from common.say import say
from common.web import paging, reading, require, respond

bp = Blueprint("money", __name__)

KINDS = ("deal_fee", "completion_reward", "payout", "reversal")
HEADER = ["id", "kind", "amount_cents", "day", "posted_at", "task_id", "task_title"]
UNIT_HEADER = ["since", "until", "rewards_cents", "fees_cents", "payouts_cents", "balance_cents"]
UNITS: dict[str, statement.Unit] = {"days": "day", "months": "month"}
CHART_DAYS = 30
MINUS = ("minus", "newly")


def asked_kind() -> str | None:
    kind = request.args.get("kind")
    return kind if kind in KINDS else None


def owner(user_id: UUID | None) -> Row:
    """`{"worker"}` if the money is somebody else's.  Raises Forbidden, NotFound."""
    if user_id is None:
        return {}
    require("accountant", "admin")
    return {"worker": names.person(user_id)}


def listed(worker_id: UUID, kind: str | None, period: Period) -> Row:
    """A page of transfers with the balance each led to, and the person's summary."""
    r = reading(sources["accounting"])
    limit, before = paging.SIZE + 1, paging.asked(UUID, int | None)
    rows = statement.transfers(r.db, worker_id, kind, period, before, limit)
    rows, following = paging.cut(rows, key=("id", "before_cents"))
    known = names.titles(row["task_id"] for row in rows)
    for row in rows:
        row["task"] = names.task(row.pop("task_id"), known)
        del row["before_cents"]
    return {
        **statement.summary(r.db, worker_id),
        "transfers": rows,
        "next": following,
        **r.age,
    }


def facts(user_id: UUID | None = None, period: Period | None = None) -> Row:
    """The person's money; without a period that could be read, all of it."""
    whose = owner(user_id)
    return {**whose, **listed(user_id or g.user.id, asked_kind(), period or Period())}


@bp.get("/earnings")
@bp.get("/earnings/<uuid:user_id>")
@respond.form("analytics/earnings.html", facts)
def transfers(user_id: UUID | None = None) -> Response:
    found = facts(user_id, Period.read(request.args))
    return respond.page("analytics/earnings.html", found)


@bp.get("/earnings.csv")
@bp.get("/earnings/<uuid:user_id>.csv")
def transfers_table(user_id: UUID | None = None) -> Response:
    owner(user_id)
    rows = statement.every_transfer(
        reading(sources["accounting"]).db,
        user_id or g.user.id,
        asked_kind(),
        Period.read(request.args),
    )
    return respond.csv_stream("earnings.csv", HEADER, names.titled(rows))


@bp.get("/earnings/<any(days, months):unit>")
@bp.get("/earnings/<uuid:user_id>/<any(days, months):unit>")
def by_unit(unit: str, user_id: UUID | None = None) -> Response:
    """The statement: a line a day or month, with the balance at its end."""
    whose, r = owner(user_id), reading(sources["accounting"])
    worker_id, (before,) = user_id or g.user.id, paging.asked(date) or (None,)
    rows = statement.by_unit(r.db, worker_id, UNITS[unit], before, paging.SIZE + 1)
    rows, following = paging.cut(rows, key=("since",))
    found = {**whose, **statement.summary(r.db, worker_id), unit: rows, "next": following, **r.age}
    return respond.page("analytics/statement.html", found, unit=unit, rows=rows)


@bp.get("/earnings/<any(days, months):unit>.csv")
@bp.get("/earnings/<uuid:user_id>/<any(days, months):unit>.csv")
def unit_table(unit: str, user_id: UUID | None = None) -> Response:
    owner(user_id)
    db = reading(sources["accounting"]).db
    rows = statement.by_unit(db, user_id or g.user.id, UNITS[unit], None, None)
    return respond.csv_stream(f"{unit}.csv", UNIT_HEADER, rows)


@bp.get("/earnings/chart.svg")
@bp.get("/earnings/<uuid:user_id>/chart.svg")
def chart(user_id: UUID | None = None) -> Response:
    owner(user_id)
    db = reading(sources["accounting"]).db
    rows = statement.by_unit(db, user_id or g.user.id, "day", None, CHART_DAYS)
    return charts.answer(charts.earnings(rows[::-1]))


@bp.get("/earnings/why")
@bp.get("/earnings/<uuid:user_id>/why")
def why(user_id: UUID | None = None) -> Response:
    """The transfers since the balance was zero last, which sum to it."""
    whose, worker_id = owner(user_id), user_id or g.user.id
    sums = statement.since_zero(reading(sources["accounting"]).db, worker_id)
    since = sums["since"] or date.max  # nothing since then
    found = {**whose, "sums": sums, **listed(worker_id, None, Period(since))}
    return respond.page("analytics/why.html", found)


@bp.get("/earnings/transfers/<uuid:transfer_id>")
def transfer(transfer_id: UUID) -> Response:
    found, age = causes.transfer(transfer_id)
    if found["worker_id"] != g.user.id and g.user.role not in ("accountant", "admin"):
        raise NotFound(say("There is no such transfer of yours."))
    settings = current_app.config["EXCHANGE"]
    ranges = {"fee": settings.fee_range, "reward": settings.reward_range}
    worker = names.person(found["worker_id"])
    shown = {**causes.explained(found, ranges), "worker": worker}
    return respond.page("analytics/transfer.html", shown, **age)


def listed_people(day: date | None = None) -> Row:
    """A page of people with their balances now, or of those in the minus at the end of the day."""
    wanted = request.args.get("balance", "")
    rows, following = in_minus(wanted, day) if wanted in MINUS else with_balances()
    return {"people": rows, "next": following, **reading(sources["accounting"]).age}


@bp.get("/earnings/people")
@respond.form("analytics/people.html", listed_people)
def people() -> Response:
    require("accountant", "admin")
    day = Period.read(request.args).until
    return respond.page("analytics/people.html", listed_people(day), at=day)


def with_balances() -> tuple[list[Row], Any]:
    """A page of people by name, each with the balance, and the cursor of the next."""
    q = request.args.get("q", "").strip().replace("\x00", "")
    rows = names.people(q, paging.asked(str, UUID), paging.SIZE + 1)
    rows, following = paging.cut(rows, key=("name", "id"))
    known = reports.balances(reading(sources["accounting"]).db, [row["id"] for row in rows])
    return [{**row, "balance_cents": known.get(row["id"], 0)} for row in rows], following


def in_minus(wanted: str, day: date | None) -> tuple[list[Row], Any]:
    """A page of those whose balance is below zero, or was at the end of the day, the lowest first;
    `newly`: it was not when the last day closed.
    """
    key, db, size = paging.asked(int, UUID), reading(sources["accounting"]).db, paging.SIZE + 1
    rows = (
        reports.in_minus_at(db, day, key, size)
        if day
        else reports.in_minus(db, wanted == "newly", key, size)
    )
    rows, following = paging.cut(rows, key=("balance_cents", "id"))
    known = names.roles(row["id"] for row in rows)
    unknown = {"name": "Somebody", "role": "–"}
    return [{**row, **known.get(row["id"], unknown)} for row in rows], following
