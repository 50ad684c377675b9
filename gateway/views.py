"""The way in and out, and whether everything is there."""

import http.client
import re
from concurrent.futures import ThreadPoolExecutor

from flask import Blueprint, Response, current_app, g, render_template, request
from flask_login import login_required
from msgspec import DecodeError
from msgspec import json as msgjson

from common import clock
from common.errors import Away
from common.web import csrf, health, respond
from gateway import actions, domain, routes, sessions
from gateway.models import store
from gateway.proxy import Gateway
from gateway.upstream import Connection, Upstream

bp = Blueprint("gateway", __name__)

LOGIN_S = 3600
WRONG = "This e-mail address and password do not belong together."
STALE = "This page was open for too long; please sign in once more."


def gateway() -> Gateway:
    return current_app.extensions["exchange-gateway"]


@bp.get("/")
@login_required
def home() -> Response:
    return respond.see_other(domain.HOME[g.user.role])


@bp.get("/login")
def login_form() -> Response:
    token = request.cookies.get(gateway().door.login, "")
    return login_page(200, token=token if re.fullmatch(r"[\w-]{43}", token) else "")


@bp.post("/login")
def login() -> Response:
    settings = current_app.config["EXCHANGE"]
    subject = request.cookies.get(gateway().door.login, "")
    if not (subject and csrf.matches(settings, subject, request.form.get(csrf.FIELD, ""))):
        return login_page(403, STALE)
    signed_in = actions.sign_in(
        request.form.get("email", "").strip(),
        request.form.get("password", ""),
        instead_of=request.cookies.get(gateway().door.session, ""),
        address=request.remote_addr or "",
        user_agent=request.user_agent.string,
        now=clock.now(),
    )
    if signed_in is None:
        return login_page(401, WRONG, token=subject)
    person, token = signed_in
    facts = {field: person[field] for field in ("id", "email", "name", "role")}
    asked = request.form.get("next", "")
    answer = respond.done(asked if routes.is_local(asked) else "/", facts)
    keep(answer, gateway().door.session, token, int(sessions.LIFE.total_seconds()))
    keep(answer, gateway().door.login, "", 0)
    return answer


def login_page(status: int, problem: str = "", token: str = "") -> Response:
    """The form, with a token of its own: HMAC of a random value in a short-lived cookie."""
    g.csrf_subject = token or sessions.new_token()
    settings = current_app.config["EXCHANGE"]
    if respond.wants_json():
        value = csrf.token_for(settings.secret_keys[0], g.csrf_subject)
        answer = respond.json({"error": problem} if problem else {"csrf_token": value}, status)
    else:
        facts = {"next": request.values.get("next", ""), "form": request.form, "problem": problem}
        text = render_template("gateway/login.html", **facts)
        answer = Response(text, status, mimetype="text/html")
    keep(answer, gateway().door.login, g.csrf_subject, LOGIN_S)
    return answer


@bp.post("/logout")
def logout() -> Response:
    sessions.end(request.cookies.get(gateway().door.session, ""))
    answer = respond.done("/login", {"signed_out": True}, message="You are signed out.")
    keep(answer, gateway().door.session, "", 0)
    return answer


def keep(answer: Response, name: str, value: str, life_s: int) -> None:
    answer.headers.add("Set-Cookie", gateway().door.cookie(name, value, life_s))


@bp.get("/readyz")
def readyz() -> Response:
    """Whether everything is there; what is not, and why, is for those who are signed in."""
    upstreams = gateway().upstreams
    with ThreadPoolExecutor(len(upstreams)) as pool:
        answers = dict(zip(upstreams, pool.map(service_state, upstreams.values()), strict=True))
    ready, states = health.dependencies((store,))
    ready = ready and all(state == "ok" for state in answers.values())
    facts: dict[str, object] = {"status": "ok" if ready else "not ready"}
    if is_signed_in():
        facts["dependencies"] = states | answers
    return respond.json(facts, 200 if ready else 503)


def is_signed_in() -> bool:
    try:
        return gateway().caller(request.environ) is not None
    except Away:
        return False


def service_state(upstream: Upstream) -> object:
    """`ok`, or what the service says it lacks, or why it says nothing."""
    link = Connection(upstream.url, connect_s=1, read_s=1)
    try:
        link.request("GET", "/readyz")
        answer = link.getresponse()
        text = answer.read(65_536)
        return "ok" if answer.status == 200 else msgjson.decode(text)
    except (OSError, http.client.HTTPException, DecodeError) as error:
        return str(error) or type(error).__name__
    finally:
        link.close()
