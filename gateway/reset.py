"""A forgotten password, or a first one: asking for a link, and following it."""

from flask import Blueprint, Response, current_app, request

from common import clock
from common.db import Row
from common.errors import Invalid
from common.web import respond
from gateway import forms, invitations, outside, passwords
from gateway.outside import gateway

bp = Blueprint("reset", __name__, url_prefix="/account/reset")

ASK, CHOOSE = "gateway/reset.html", "gateway/choose.html"
ON_ITS_WAY = "If somebody has access under this address, a letter with a link is on its way there."


@bp.get("")
def ask_form() -> Response:
    return outside.page(ASK, {})


@bp.post("")
def ask() -> Response:
    if not outside.is_ours():
        return outside.page(ASK, {}, 403, problem=outside.STALE)
    email = request.form.get("email", "").strip()
    if wrong := forms.email_problem(email):
        return outside.page(ASK, {}, 422, problem=Invalid({}).sentence, errors={"email": wrong})
    address = request.remote_addr or ""
    invitations.ask(email, limit=gateway().limits, address=address, now=clock.now())
    return respond.done("/login", {"message": ON_ITS_WAY}, message=ON_ITS_WAY)


def link_of(token: str) -> Row:
    """Raises NoLink."""
    keys = current_app.config["EXCHANGE"].secret_keys
    return invitations.open_link(token, keys, now=clock.now())


def choose_page(link: Row, status: int = 200, problem: str = "", wrong: str = "") -> Response:
    facts = {"email": link["email"], "rule": passwords.RULE}
    errors = {"password": wrong} if wrong else {}
    return outside.page(CHOOSE, facts, status, problem=problem, errors=errors)


@bp.get("/<token>")
def choose_form(token: str) -> Response:
    return choose_page(link_of(token))


@bp.post("/<token>")
def choose(token: str) -> Response:
    link = link_of(token)
    if not outside.is_ours():
        return choose_page(link, 403, outside.STALE)
    try:
        password = forms.new_password(request.form, email=link["email"], name=link["name"])
    except Invalid as error:
        return choose_page(link, error.status, error.sentence, error.fields["password"])
    invitations.choose_password(link, password)
    message = "Your password is chosen; please sign in."
    return respond.done("/login", {"message": message}, message=message)
