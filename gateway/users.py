"""The people of the company, for admins."""

from functools import partial
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, request
from flask_login import login_required

from common import clock
from common.db import Row, Server
from common.roles import ROLES
from common.say import say, word
from common.web import forms as keyed
from common.web import found, language, look_up, paging, reading, require, respond
from gateway import actions, forms, passwords
from gateway.models import USER, primary, store, user
from gateway.outside import gateway

bp = Blueprint("users", __name__)

CHOICES = [(role, word(role)) for role in ROLES]
COLUMNS = ["id", "email", "name", "role", "active"]
MATCHING = """
    FROM person WHERE name || ' ' || email ILIKE ALL (%s::text[])
    AND (%s::text IS NULL OR role = %s)
"""


@bp.before_request
@login_required
def admins_only() -> None:
    require("admin")


def asked() -> tuple[Any, ...]:
    """What the query filters by: words that all occur in name or address, and a role."""
    role = request.args.get("role") or None
    return forms.patterns(request.args.get("q", "")), role, role


def page_of(db: Server) -> tuple[list[Row], str | None]:
    key = paging.asked(str, UUID)
    after = "" if key is None else "AND (name, id) > (%s, %s)"
    rows = db.rows(
        f"SELECT {USER} {MATCHING} {after} ORDER BY name, id LIMIT %s",
        *asked(),
        *(key or ()),
        paging.SIZE + 1,
    )
    return paging.cut(rows, key=("name", "id"))


@bp.get("/users")
def index() -> Response:
    now = reading(store)
    rows, cursor = page_of(now.db)
    facts = {"users": rows, "next": cursor}
    return respond.page("gateway/users.html", facts, **around(now.db))


def around(db: Server) -> dict[str, Any]:
    """What the page shows beside the list."""
    limit = paging.COUNT_MAX + 1
    count = db.value(
        f"SELECT count(*) FROM (SELECT {MATCHING} LIMIT %s) AS matching", *asked(), limit
    )
    return {"roles": CHOICES, "count": count, "rule": passwords.RULE}


@bp.get("/users.csv")
def as_csv() -> Response:
    rows = reading(store).db.stream(f"SELECT {USER} {MATCHING} ORDER BY name, id", *asked())
    return respond.csv_stream("users.csv", COLUMNS, rows)


def list_again() -> dict[str, Any]:
    db = reading(store).db
    rows, cursor = page_of(db)
    return {"users": rows, "next": cursor, **around(db)}


@bp.post("/users")
@respond.form("gateway/users.html", list_again)
def add() -> Response:
    new = forms.new_user(request.form)
    if new.role != "worker":
        confirm_first("/users")
    make = partial(actions.add_user, new, now=clock.now(), by=g.user.id, language=language.asked())
    made, is_new = keyed.once(primary, make)
    where = f"/users/{made['id']}"
    return respond.done(
        where, made, message=say("%(name)s was added.", name=made["name"]), created=is_new
    )


def confirm_first(back: str) -> None:
    """Raises ConfirmFirst if it is long ago that the caller gave their password."""
    session = gateway().caller(request.environ)
    assert session
    gateway().step_up.check(session, back, now=clock.now())


def one(user_id: UUID) -> dict[str, Any]:
    person, _ = look_up(store, lambda db: found(user(db, user_id)))
    return {**person}


def with_roles(user_id: UUID) -> dict[str, Any]:
    return {**one(user_id), "roles": CHOICES}


@bp.get("/users/<uuid:user_id>")
def show(user_id: UUID) -> Response:
    return respond.page("gateway/user.html", one(user_id), roles=CHOICES)


@bp.post("/users/<uuid:user_id>")
@respond.form("gateway/user.html", with_roles)
def change(user_id: UUID) -> Response:
    wanted = forms.changes(request.form)
    before = one(user_id)
    rights = {"role": before["role"], "is_active": before["active"]}
    if any(wanted.get(right, value) != value for right, value in rights.items()):
        confirm_first(f"/users/{user_id}")
    changed = actions.change_user(user_id, wanted, by=g.user.id)
    return respond.done(
        f"/users/{user_id}", changed, message=say("%(name)s was changed.", name=changed["name"])
    )
