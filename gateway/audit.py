"""`/audit`: who signed in, and what admins, managers and accountants did."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from flask_login import login_required

from common.db import Row, Server
from common.say import say
from common.web import paging, reading, require, respond
from gateway import forms, trail
from gateway.models import store

bp = Blueprint("audit", __name__)

NAMES = ["id", "at", "user", "what", "object", "address", "status", "request_id"]
CHOICES = [("", say("Anything")), *((kind, kind) for kind in trail.KINDS)]

ENTRIES = """
    SELECT audit.id, at, what, object, address, status, request_id, user_id, name
    FROM audit LEFT JOIN person ON person.id = user_id
"""
# A person by name or address; a refused sign-in is of nobody, but tells the address typed.
OF_PERSON = """
    (user_id IN (SELECT id FROM person WHERE name || ' ' || email ILIKE ALL (%s::text[]))
     OR (user_id IS NULL AND object ILIKE ALL (%s::text[])))
"""


@bp.before_request
@login_required
def admins_only() -> None:
    require("admin")


def asked() -> tuple[str, list[Any]]:
    """WHERE for what the query filters by, with its parameters.  Raises Invalid."""
    patterns = forms.patterns(request.args.get("q", ""))
    since, until = forms.period(request.args)
    tests: list[tuple[str, list[Any]]] = [
        (OF_PERSON, [patterns, patterns] if patterns else []),
        ("what = %s", [request.args["what"]] if request.args.get("what") in trail.KINDS else []),
        ("at >= %s::date", [since] if since else []),
        ("at < %s::date + 1", [until] if until else []),
    ]
    used = [(test, values) for test, values in tests if values]
    where = " AND ".join(test for test, _ in used) or "true"
    return where, [value for _, values in used for value in values]


def shown(row: Row) -> Row:
    """An entry as pages and JSON show one."""
    person = {"id": row["user_id"], "name": row["name"]} if row["user_id"] else None
    return {name: person if name == "user" else row[name] for name in NAMES}


def page_of(db: Server) -> tuple[list[Row], str | None]:
    where, values = asked()
    if key := paging.asked(datetime, UUID):
        where, values = f"{where} AND (at, audit.id) < (%s, %s)", [*values, *key]
    order = "ORDER BY at DESC, audit.id DESC LIMIT %s"
    rows = db.rows(f"{ENTRIES} WHERE {where} {order}", *values, paging.SIZE + 1)
    page, cursor = paging.cut(rows, key=("at", "id"))
    return [shown(row) for row in page], cursor


def nothing() -> dict[str, Any]:
    """What the page shows when it cannot say what was asked for."""
    return {"entries": [], "next": None, "choices": CHOICES}


@bp.get("/audit")
@respond.form("gateway/audit.html", nothing)
def index() -> Response:
    now = reading(store)
    rows, cursor = page_of(now.db)
    return respond.page(
        "gateway/audit.html", {"entries": rows, "next": cursor}, choices=CHOICES, **now.age
    )


@bp.get("/audit.csv")
def as_csv() -> Response:
    where, values = asked()
    db = reading(store).db
    found = db.stream(f"{ENTRIES} WHERE {where} ORDER BY at DESC, audit.id DESC", *values)
    return respond.csv_stream("audit.csv", NAMES, named(found))


def named(rows: Iterator[Row]) -> Iterator[Row]:
    """Entries for a table, the person by name alone."""
    for row in rows:
        yield {**row, "user": row["name"]}
