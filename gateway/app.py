"""The gateway's Flask app, with the proxy before it and flask-login over our own sessions."""

from flask import Flask, Response, current_app, g, request
from flask_login import LoginManager, UserMixin

from common import web
from common.config import Config
from common.identity import Identity
from common.web import respond
from gateway import account, audit, confirmation, passwords, proxy, reset, routes, users, views
from gateway.confirmation import ConfirmFirst
from gateway.headers import Door
from gateway.limits import TooMany
from gateway.models import store
from gateway.sessions import Session


class Caller(UserMixin):
    """flask-login's `current_user`."""

    def __init__(self, session: Session) -> None:
        self.id = session.user_id
        self.session_id = session.id
        self.email = session.email
        self.name = session.name
        self.role = session.role


def create_app(settings: Config) -> Flask:
    """Every request goes through the proxy; Flask sees the gateway's own paths only."""
    blueprints = views.bp, users.bp, reset.bp, account.bp, audit.bp
    app = web.create_app(
        "gateway", settings, *blueprints, stores=(store,), identify=identify, static=True
    )
    # Cookies are ours alone: flask-login reads none, as no cookie has this name.
    app.config["REMEMBER_COOKIE_NAME"] = "="
    gateway = proxy.Gateway(app, settings, Door(settings))
    app.extensions["exchange-gateway"] = gateway
    app.wsgi_app = gateway  # type: ignore[method-assign]
    use_flask_login(app)
    app.register_error_handler(ConfirmFirst, confirmation.answer_to)
    app.register_error_handler(TooMany, too_many)
    passwords.nobodys()
    return app


def too_many(refusal: TooMany) -> Response:
    answer = respond.error_page(refusal.status, refusal.sentence)
    answer.headers["Retry-After"] = str(refusal.wait_s)
    return answer


def use_flask_login(app: Flask) -> None:
    manager = LoginManager()
    manager.session_protection = None
    manager.init_app(app)

    @manager.request_loader
    def load(_: object) -> Caller | None:
        session = request.environ.get("exchange.caller") if g.get("user") else None
        return Caller(session) if session else None

    @manager.unauthorized_handler
    def unauthorized() -> object:
        return proxy.sign_in_first(request.environ)


def current_session() -> Session | None:
    return current_app.extensions["exchange-gateway"].caller(request.environ)


def identify() -> Identity | None:
    """The caller as the services see one; nobody on pages for those who are not signed in: their
    forms have a token of their own.
    """
    if request.path == "/login" or f"{request.path}/".startswith("/account/reset/"):
        return None
    session = current_session()
    if session is None:
        return None
    return current_app.extensions["exchange-gateway"].identity(session, routes.OWN, request.environ)
