"""What each Flask app of ours is: identity in, a page or its JSON twin out."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Flask, Response, current_app, g, request
from gunicorn.http.errors import ParseException
from peewee import InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from common import clock, identity
from common import log as logs
from common.config import Config
from common.db import LOST, Row, Server, may_have_changed
from common.errors import Away, Forbidden, Invalid, NotFound, Refused
from common.say import say
from common.store import Reading, Store, look
from common.web import csrf, flash, health, language, respond, wording

log = logging.getLogger("web")

T = TypeVar("T")

BODY_MAX = 21 * 1024 * 1024
# A form without a file: 10,000 characters of four bytes, each of which takes three to send.
FORM_MAX = 131_072
LSN_HEADER = "X-Exchange-Lsn"
OPEN_PATHS = {"/healthz", "/readyz", "/metrics"}


def create_app(
    name: str,
    settings: Config,
    *blueprints: Blueprint,
    stores: tuple[Store, ...] = (),
    identify: Callable[[], identity.Identity | None] | None = None,
    static: bool = False,
) -> Flask:
    """A Flask app called `name` whose every path but health needs an identity."""
    app = Flask(
        name,
        template_folder="templates",
        static_folder=str(respond.STATIC) if static else None,
        static_url_path="/static",
    )
    app.config.update(MAX_CONTENT_LENGTH=BODY_MAX, EXCHANGE=settings)
    app.extensions["exchange-stores"] = stores
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    respond.use_templates(app)
    language.install(app)
    wording.install(app, settings)
    install_identity(app, identify or service_identity(name, settings))
    csrf.install(app, settings)
    flash.install(app, settings)
    health.install(app, stores)
    install_refusals(app)
    app.after_request(note_commit)
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    return app


def service_identity(name: str, settings: Config) -> Callable[[], identity.Identity | None]:
    """Reads the gateway's signed header for a service."""
    signer = identity.Signer(settings.secret_keys)

    def identify() -> identity.Identity | None:
        tokens = request.headers.getlist(identity.HEADER)
        if len(tokens) != 1:
            return None
        return signer.read(tokens[0], name, request.method, request.environ["PATH_INFO"])

    return identify


def install_identity(app: Flask, identify: Callable[[], identity.Identity | None]) -> None:
    @app.before_request
    def know_caller() -> Any:
        g.user = None
        logs.trace.set(request.headers.get("traceparent"))
        request.environ["exchange.route"] = place()
        may_have_changed.set(False)
        if request.path in OPEN_PATHS or request.endpoint == "static":
            return None
        g.user = identify()
        if g.user is None and app.name != "gateway":
            return respond.error_page(401, say("Please come through the gateway."))
        return None


def install_refusals(app: Flask) -> None:
    @app.errorhandler(Invalid)
    def invalid(error: Invalid) -> Response:
        return respond.form_again(error)

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return respond.error_page(error.status, error.sentence)

    @app.errorhandler(OperationalError)
    @app.errorhandler(InterfaceError)
    def away(error: Exception) -> Response:
        log.error("%s %s: %s", request.method, place(), error)
        for store in app.extensions["exchange-stores"]:
            store.close()
        return respond.error_page(Away.status, lost())

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        answer = respond.error_page(error.code or 500, respond.sentence_of(error))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            answer.headers["Allow"] = ", ".join(error.valid_methods)
        return answer

    @app.errorhandler(ParseException)
    def broken(_: Exception) -> Response:
        return respond.error_page(400, respond.SENTENCES[400])  # gunicorn's, of a chunk

    @app.errorhandler(Exception)
    def fault(error: Exception) -> Response:
        if isinstance(error, ValueError) and "NUL" in str(error):  # psycopg2's, of any field
            return respond.error_page(
                400, say("A NUL character cannot be taken; please remove it.")
            )
        log.exception("%s %s failed", request.method, place())
        return respond.error_page(500, say("Something went wrong on our side; it has been noted."))


def lost() -> str:
    """What somebody is told whose request lost its database."""
    if may_have_changed.get():
        return say(
            "The database went away before it could say that it was done."
            " Please look whether it was before you try again."
        )
    return say(
        "The database does not take changes just now; nothing was changed."
        " Please try again in a moment."
    )


def place() -> str:
    """Which route, without what stands in it: an address may hold somebody's secret."""
    return request.url_rule.rule if request.url_rule else "none"


def note_commit(response: Response) -> Response:
    """Tells the gateway how far a reader must be to show what this request wrote."""
    if request.method == "POST" and response.status_code < 400:
        for store in current_app.extensions["exchange-stores"]:
            if store.primary.is_closed():
                continue
            try:
                lsn = store.primary.value("SELECT pg_current_wal_lsn()")
                response.headers.add(LSN_HEADER, f"{store.name}={lsn}")
            except (OperationalError, InterfaceError):
                store.primary.close_quietly()
    return response


def reading(store: Store) -> Reading:
    """The store's reader for this request: it shows what the caller wrote before."""
    after = g.user.after.get(store.name, "0/0") if g.user else "0/0"
    return store.reading(after)


def look_up(store: Store, ask: Callable[[Server], T]) -> tuple[T, Reading]:
    """What `ask` finds by its id, and where: what the replica does not show yet, the primary may.
    Raises NotFound if neither does.
    """
    source = reading(store)
    try:
        return ask(source.db), source
    except NotFound:
        if source.db is store.primary:
            raise
        try:
            latest = look(store.primary)[0]
        except LOST:
            store.primary.close_quietly()
            raise NotFound("There is no such page, as far as we can see just now.") from None
        return ask(latest.db), latest


def require(*roles: str) -> None:
    """Raises Forbidden unless the caller has one of the roles."""
    if g.user is None or g.user.role not in roles:
        if request.method == "GET":
            raise Forbidden("Only %(roles)s accounts may see this.", roles=roles)
        raise Forbidden("Only %(roles)s accounts may do this.", roles=roles)


def found(row: Row | None) -> Row:
    """The row.  Raises NotFound if there is none."""
    if row is None:
        raise NotFound("There is no such page.")
    return row


__all__ = ["clock", "create_app", "csrf", "found", "look_up", "reading", "require"]
