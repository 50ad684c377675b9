"""What a person may see and do about their own sign-in."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from flask_login import current_user, login_required

from common import clock
from common.db import Row
from common.say import say
from common.web import reading, respond
from gateway import actions, forms, passwords, routes, sessions
from gateway.models import primary, sessions_of, store
from gateway.outside import gateway, keep

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.before_request
@login_required
def signed_in_only() -> None:
    pass


def facts() -> dict[str, Any]:
    return {field: getattr(current_user, field) for field in ("id", "email", "name", "role")}


def with_rule() -> dict[str, Any]:
    return {**facts(), "rule": passwords.RULE}


@bp.get("")
def index() -> Response:
    return respond.page("gateway/account.html", facts(), rule=passwords.RULE)


@bp.post("/password")
@respond.form("gateway/account.html", with_rule)
def change_password() -> Response:
    known = {"email": current_user.email, "name": current_user.name}
    wanted = forms.new_password(request.form, **known)
    person = present_password("current")
    own, now = current_user.session_id, clock.now()
    token = actions.change_password(person, wanted, keep=own, now=now)
    message = say("Your password is changed; you are signed out everywhere else.")
    answer = respond.done("/account", facts(), message=message)
    keep(answer, gateway().door.session, token, sessions.LIFE_S)
    return answer


def present_password(field: str) -> Row:
    """The caller, whose password is in this field.  Raises Invalid, TooMany."""
    return actions.check_password(
        current_user.id,
        request.form.get(field, ""),
        field=field,
        limit=gateway().limits,
        address=request.remote_addr or "",
        now=clock.now(),
    )


def before_confirming() -> dict[str, Any]:
    return {"email": current_user.email, "next": request.values.get("next", "")}


@bp.get("/confirmation")
def confirmation_form() -> Response:
    return respond.page("gateway/confirmation.html", before_confirming())


@bp.post("/confirmation")
@respond.form("gateway/confirmation.html", before_confirming)
def confirm() -> Response:
    person = present_password("password")
    token = actions.confirm_session(current_user.session_id, by=person["id"], now=clock.now())
    asked = request.form.get("next", "")
    answer = respond.done(asked if routes.is_local(asked) else "/", facts())
    keep(answer, gateway().door.session, token, sessions.LIFE_S)
    return answer


@bp.get("/sessions")
def own_sessions() -> Response:
    return respond.page("gateway/sessions.html", listed(reading(store).db))


def listed(db: Any) -> dict[str, Any]:
    return {"sessions": sessions_of(db, current_user.id, current_user.session_id)}


@bp.post("/sessions/<uuid:session_id>/revocation")
def revoke(session_id: UUID) -> Response:
    actions.revoke_session(session_id, by=current_user.id)
    return respond.done("/account/sessions", listed(primary), message=say("That session is ended."))


@bp.post("/sessions/revocation")
def revoke_others() -> Response:
    actions.revoke_others(current_user.session_id, by=current_user.id)
    return respond.done(
        "/account/sessions", listed(primary), message=say("All your other sessions are ended.")
    )
