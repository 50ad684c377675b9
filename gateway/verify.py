"""`GET /auth/verify` for nginx's `auth_request`: who asks, so that nginx may carry the page itself.

Only what is read goes that way.  All else is 401 or 403 here, which nginx turns into handing the
request to the gateway: forms with their checks and their audit, own pages, and every refusal with
the sentence that says why.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gunicorn.util import unquote_to_wsgi_str

from common.errors import Refused
from common.identity import HEADER
from gateway import routes
from gateway.headers import READ_ONLY, SERVICE
from gateway.upstream import SAFE

if TYPE_CHECKING:
    from gateway.proxy import Gateway

PATH = "/auth/verify"
# What nginx cannot know: of the browser's own headers the language, which a person may choose.
TOLD = (HEADER, READ_ONLY, "Accept-Language", "X-Request-Id", "traceparent")


def answer(gateway: "Gateway", environ: dict[str, Any], start_response: Callable) -> list[bytes]:
    """204, the service's name, what it must be told, and what the browser must be; 401 for nobody,
    403 for what is the gateway's to answer.
    """
    environ["exchange.route"] = PATH
    asked = original(environ)
    status, told = "403 Forbidden", []
    try:
        owner = gateway.admit(asked)
        if owner != routes.OWN and asked["REQUEST_METHOD"] in SAFE:
            if caller := gateway.caller(asked):
                upwards = gateway.upwards(owner, caller, asked)
                told = [pair for pair in upwards if pair[0] in TOLD]
                told += [(SERVICE, owner), *gateway.door.security]
                status = "204 No Content"
            else:
                status = "401 Unauthorized"
    except Refused:
        pass
    start_response(status, [*told, ("Cache-Control", "no-store")])
    return []


def original(environ: dict[str, Any]) -> dict[str, Any]:
    """The request that nginx asks about, spelled as gunicorn spells its own."""
    address = environ.get("HTTP_X_ORIGINAL_URI", "")
    path, _, query = address.partition("?")
    return environ | {
        "REQUEST_METHOD": environ.get("HTTP_X_ORIGINAL_METHOD", ""),
        "RAW_URI": address,
        "PATH_INFO": unquote_to_wsgi_str(path),
        "QUERY_STRING": query,
    }
