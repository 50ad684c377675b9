"""The way in and out, and whether everything is there."""

from concurrent.futures import ThreadPoolExecutor

from flask import Blueprint, Response, g, request
from flask_login import login_required
from msgspec import DecodeError, Struct
from msgspec import json as msgjson

from common import clock
from common.errors import Away, Refused
from common.say import say
from common.web import health, language, respond
from gateway import actions, domain, outside, routes, sessions
from gateway.models import store
from gateway.outside import gateway, keep
from gateway.upstream import BAD, OK, Upstream

bp = Blueprint("gateway", __name__)

LANGUAGE_LIFE_S = 365 * 86_400
WRONG = say("This e-mail address and password do not belong together.")


@bp.get("/")
@login_required
def home() -> Response:
    return respond.see_other(domain.HOME[g.user.role])


@bp.get("/login")
def login_form() -> Response:
    return login_page()


def login_page(status: int = 200, problem: str = "") -> Response:
    # A program needs the token only; the page leads on to where the person wanted to go.
    facts = {} if respond.wants_json() else {"next": request.values.get("next", "")}
    return outside.page("gateway/login.html", facts, status, problem=problem)


@bp.post("/login")
def login() -> Response:
    if not outside.is_ours():
        return login_page(403, outside.STALE)
    signed_in = actions.sign_in(
        request.form.get("email", "").strip(),
        request.form.get("password", ""),
        limit=gateway().limits,
        instead_of=request.cookies.get(gateway().door.session, ""),
        address=request.remote_addr or "",
        user_agent=request.user_agent.string,
        language=language.asked(),
        now=clock.now(),
    )
    if signed_in is None:
        return login_page(401, WRONG)
    person, token = signed_in
    facts = {field: person[field] for field in ("id", "email", "name", "role")}
    asked = request.form.get("next", "")
    answer = respond.done(asked if routes.is_local(asked) else "/", facts)
    keep(answer, gateway().door.session, token, sessions.LIFE_S)
    keep(answer, gateway().door.login, "", 0)
    return answer


@bp.post("/logout")
def logout() -> Response:
    token = request.cookies.get(gateway().door.session, "")
    actions.sign_out(token, by=g.user and g.user.id)
    answer = respond.done("/login", {"signed_out": True}, message=say("You are signed out."))
    keep(answer, gateway().door.session, "", 0)
    return answer


@bp.post("/account/language")
def choose_language() -> Response:
    """Anybody may: it is no secret, and a page of ours must have sent it.  None chosen: as the
    browser asks.  Whoever is signed in is written to in it, too.
    """
    chosen, asked = request.form.get("language", ""), request.form.get("next", "")
    if chosen and chosen not in language.LANGUAGES:
        raise Refused("There is no such language here.")
    if g.user:
        actions.choose_language(g.user.id, chosen or None)
    answer = respond.done(asked if routes.is_local(asked) else "/", {"language": chosen})
    keep(answer, gateway().door.language, chosen, LANGUAGE_LIFE_S if chosen else 0)
    return answer


@bp.get("/readyz")
def readyz() -> Response:
    """Whether pages can be read.  What is missing all the same, such as a primary or the bus, and
    why, is for those who are signed in.
    """
    upstreams = gateway().upstreams
    with ThreadPoolExecutor(len(upstreams)) as pool:
        answers = dict(zip(upstreams, pool.map(service_state, upstreams.values()), strict=True))
    ready, states = health.dependencies((store,))
    ready = ready and all(is_ready for is_ready, _ in answers.values())
    facts: dict[str, object] = {"status": "ok" if ready else "not ready"}
    if is_signed_in():
        found = states | {name: state for name, (_, state) in answers.items()}
        facts["dependencies"] = found
        if ready and not all(map(is_well, found.values())):
            facts["status"] = "impaired"
    return respond.json(facts, 200 if ready else 503)


def is_signed_in() -> bool:
    try:
        return gateway().caller(request.environ) is not None
    except Away:
        return False


def is_well(state: object) -> bool:
    return str(state).startswith("ok")


def service_state(upstream: Upstream) -> tuple[bool, object]:
    """Whether the service is ready; and `ok`, or what it lacks, or why it says nothing."""
    try:
        status, text = upstream.look("/readyz")
        states = msgjson.decode(text, type=Readiness).dependencies
    except (*BAD, DecodeError) as error:
        return False, str(error) or type(error).__name__
    missing = {name: state for name, state in states.items() if not is_well(state)}
    return status == OK, missing or "ok"


class Readiness(Struct):
    """What of a service's answer is of interest."""

    dependencies: dict[str, str] = {}
