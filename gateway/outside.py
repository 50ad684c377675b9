"""Forms for whoever is not signed in, with a token of their own: the HMAC of a random value that
is in a short-lived cookie.
"""

import re
from typing import Any

from flask import Response, current_app, g, render_template, request

from common.say import say
from common.web import csrf, respond
from gateway import sessions
from gateway.proxy import Gateway

LIFE_S = 3600
STALE = say("This page was open for too long; please try once more.")


def gateway() -> Gateway:
    return current_app.extensions["exchange-gateway"]


def keep(answer: Response, name: str, value: str, life_s: int) -> None:
    """The browser keeps the cookie, or, for a life of 0, loses it."""
    answer.headers.add("Set-Cookie", gateway().door.cookie(name, value, life_s))


def is_ours() -> bool:
    """Whether the form that was sent is one that this browser was shown."""
    settings = current_app.config["EXCHANGE"]
    subject = request.cookies.get(gateway().door.login, "")
    token = request.form.get(csrf.FIELD, "")
    return bool(subject) and csrf.matches(settings, subject, token)


def page(
    template: str,
    facts: dict[str, Any],
    status: int = 200,
    *,
    problem: str = "",
    errors: dict[str, str] | None = None,
) -> Response:
    """The form; as JSON its token and the facts, or, where there is a problem, that."""
    kept = request.cookies.get(gateway().door.login, "")
    g.csrf_subject = kept if re.fullmatch(r"[\w-]{43}", kept) else sessions.new_token()
    if respond.wants_json():
        key = current_app.config["EXCHANGE"].secret_keys[0]
        told = {"error": problem} | ({"fields": errors} if errors else {})
        form = {csrf.FIELD: csrf.token_for(key, g.csrf_subject), **facts}
        answer = respond.json(told if problem else form, status)
    else:
        shown = {"form": request.form, "problem": problem, "errors": errors or {}}
        text = render_template(template, **facts, **shown)
        answer = Response(text, status, mimetype="text/html")
    keep(answer, gateway().door.login, g.csrf_subject, LIFE_S)
    return answer
