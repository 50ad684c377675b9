"""One message for the next page, in a signed cookie: services keep no session."""

from flask import Flask, Response, g, request
from itsdangerous import BadData, URLSafeTimedSerializer

from common.config import Config

COOKIE = "flash"
LIFE_S = 300


def flash(message: str) -> None:
    """`message` is shown once, by whatever page comes next."""
    g.flash_next = message


def install(app: Flask, settings: Config) -> None:
    serializer = URLSafeTimedSerializer(list(reversed(settings.secret_keys)), salt="flash")

    @app.context_processor
    def messages() -> dict[str, object]:
        def flashed() -> str:
            if "flash_next" in g:
                return str(g.pop("flash_next"))
            cookie = request.cookies.get(COOKIE)
            if not cookie:
                return ""
            g.flash_shown = True
            try:
                return str(serializer.loads(cookie, max_age=LIFE_S))
            except BadData:
                return ""

        return {"flashed": flashed}

    @app.after_request
    def keep(response: Response) -> Response:
        if message := g.pop("flash_next", None):
            value = serializer.dumps(message)
            response.set_cookie(COOKIE, value, max_age=LIFE_S, httponly=True, samesite="Lax")
        elif g.pop("flash_shown", False):
            response.delete_cookie(COOKIE)
        return response
