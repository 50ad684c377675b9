"""A form's token is an HMAC of the session's id, so a service can check what it did not issue."""

import hashlib
import hmac
from functools import lru_cache
from typing import Any

from flask import Flask, g, request
from markupsafe import Markup

from common.config import Config
from common.errors import Forbidden

FIELD = "csrf_token"


def token_for(secret_key: str, subject: str) -> str:
    """The token good for all forms shown to `subject`, a session id or a login cookie."""
    return hmac.new(secret_key.encode(), b"csrf:" + subject.encode(), hashlib.sha256).hexdigest()


def matches(settings: Config, subject: str, token: str) -> bool:
    keys = settings.secret_keys
    given = token.encode()  # as text it would have to be ASCII
    return any(hmac.compare_digest(token_for(key, subject).encode(), given) for key in keys)


def install(app: Flask, settings: Config) -> None:
    """Every POST of a signed-in caller needs the token; templates call `csrf_field()`."""

    @app.before_request
    def check() -> None:
        if request.method == "POST" and g.get("user") is not None:
            verify(settings)

    @app.context_processor
    def field() -> dict[str, Any]:
        def csrf_field() -> Markup:
            subject = g.get("csrf_subject") or (g.user.session_id if g.get("user") else "")
            return field_for(settings.secret_keys[0], str(subject))

        return {"csrf_field": csrf_field}


@lru_cache(256)
def field_for(secret_key: str, subject: str) -> Markup:
    value = token_for(secret_key, subject)
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, value)


def verify(settings: Config) -> None:
    """Raises Forbidden unless the form carries the session's token."""
    if not matches(settings, str(g.user.session_id), request.form.get(FIELD, "")):
        raise Forbidden("This form is too old or was not ours; please open the page again.")
