"""What a person may see and do about their own sign-in."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from flask_login import current_user, login_required

from common.web import reading, respond
from gateway import actions, forms, sessions
from gateway.models import primary, sessions_of, store

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.before_request
@login_required
def signed_in_only() -> None:
    pass


def facts() -> dict[str, Any]:
    return {field: getattr(current_user, field) for field in ("id", "email", "name", "role")}


def with_rule() -> dict[str, Any]:
    return {**facts(), "rule": forms.PASSWORD_RULE}


@bp.get("")
def index() -> Response:
    return respond.page("gateway/account.html", facts(), rule=forms.PASSWORD_RULE)


@bp.post("/password")
@respond.form("gateway/account.html", with_rule)
def change_password() -> Response:
    actions.change_password(
        current_user.id,
        request.form.get("current", ""),
        forms.new_password(request.form),
        keep=current_user.session_id,
    )
    message = "Your password is changed; you are signed out everywhere else."
    return respond.done("/account", facts(), message=message)


@bp.get("/sessions")
def own_sessions() -> Response:
    return respond.page("gateway/sessions.html", listed(reading(store).db))


def listed(db: Any) -> dict[str, Any]:
    return {"sessions": sessions_of(db, current_user.id, current_user.session_id)}


@bp.post("/sessions/<uuid:session_id>/revocation")
def revoke(session_id: UUID) -> Response:
    actions.revoke_session(session_id, by=current_user.id)
    return respond.done("/account/sessions", listed(primary), message="That session is ended.")


@bp.post("/sessions/revocation")
def revoke_others() -> Response:
    sessions.end_all(current_user.id, keep=current_user.session_id)
    return respond.done(
        "/account/sessions", listed(primary), message="All your other sessions are ended."
    )
