"""`/earnings`: everybody's own money, and anybody's for accountants and admins."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request

from analytics import names, reports
from analytics.period import Period
from analytics.sources import sources
from common.db import Row
from common.web import paging, reading, require, respond

bp = Blueprint("money", __name__)

KINDS = ("deal_fee", "completion_reward", "payout", "reversal")
HEADER = ["id", "kind", "amount_cents", "day", "posted_at", "task_id", "task_title"]


def asked_kind() -> str | None:
    kind = request.args.get("kind")
    return kind if kind in KINDS else None


def facts(worker_id: UUID, period: Period | None = None) -> Row:
    """The person's money; without a period that could be read, all of it."""
    r = reading(sources["accounting"])
    limit, before = paging.SIZE + 1, paging.asked(UUID)
    rows = reports.transfers(r.db, worker_id, asked_kind(), period or Period(), before, limit)
    rows, following = paging.cut(rows)
    known = names.titles(row["task_id"] for row in rows)
    for row in rows:
        row["task"] = names.task(row.pop("task_id"), known)
    return {
        **reports.summary(r.db, worker_id),
        "transfers": rows,
        "next": following,
        **r.age,
    }


def facts_of(worker_id: UUID, period: Period | None = None) -> Row:
    worker = names.person(worker_id)
    return {"worker": worker, **facts(worker_id, period)}


def csv_of(worker_id: UUID) -> Response:
    rows = reports.every_transfer(
        reading(sources["accounting"]).db, worker_id, asked_kind(), Period.read(request.args)
    )
    return respond.csv_stream("earnings.csv", HEADER, names.titled(rows))


@bp.get("/earnings")
@respond.form("analytics/earnings.html", lambda: facts(g.user.id))
def own() -> Response:
    found = facts(g.user.id, Period.read(request.args))
    return respond.page("analytics/earnings.html", found)


@bp.get("/earnings.csv")
def own_table() -> Response:
    return csv_of(g.user.id)


@bp.get("/earnings/<uuid:user_id>")
@respond.form("analytics/earnings.html", facts_of)
def of_person(user_id: UUID) -> Response:
    require("accountant", "admin")
    found = facts_of(user_id, Period.read(request.args))
    return respond.page("analytics/earnings.html", found)


@bp.get("/earnings/<uuid:user_id>.csv")
def table_of_person(user_id: UUID) -> Response:
    require("accountant", "admin")
    names.person(user_id)
    return csv_of(user_id)


@bp.get("/earnings/people")
def people() -> Response:
    require("accountant", "admin")
    q = request.args.get("q", "").strip().replace("\x00", "")
    rows, following = with_balances(q)
    found = {"people": rows, "next": following, **reading(sources["accounting"]).age}
    return respond.page("analytics/people.html", found)


def with_balances(q: str) -> tuple[list[Row], Any]:
    """A page of people by name, each with the balance, and the cursor of the next."""
    rows = names.people(q, paging.asked(str, UUID), paging.SIZE + 1)
    rows, following = paging.cut(rows, key=("name", "id"))
    known = reports.balances(reading(sources["accounting"]).db, [row["id"] for row in rows])
    return [{**row, "balance_cents": known.get(row["id"], 0)} for row in rows], following
