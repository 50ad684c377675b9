"""The one entry point, below Flask: own paths to the gateway's app, all others to their service.

Nothing here makes a Flask or werkzeug object for a request that is forwarded; refusals are rendered
by the app.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

from flask import Flask, g

from common import clock
from common import log as logs
from common.config import Config
from common.db import release
from common.errors import Away, Forbidden, NotFound, Refused
from common.identity import HEADER, Identity, Signer
from common.web import BODY_MAX, FORM_MAX, respond
from common.web.language import LANGUAGES
from gateway import confirmation, routes, sessions, trail, verify
from gateway.confirmation import ConfirmFirst, StepUp
from gateway.headers import (
    READ_ONLY,
    READ_ONLY_KEY,
    Door,
    Headers,
    client_address,
    cookies,
    follow,
)
from gateway.limits import Limits
from gateway.sessions import Session
from gateway.uploads import body_of, check_length
from gateway.upstream import SAFE, Upstream

Environ = dict[str, Any]
LONG_S = 60.0
METHODS = (*SAFE, "POST")
HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class NotAllowed(Refused):
    status = 405


class Gateway:
    """Stands before the app, which answers the gateway's own paths."""

    def __init__(self, app: Flask, settings: Config, door: Door) -> None:
        self.app = app
        self.own_pages = app.wsgi_app
        self.door = door
        self.signer = Signer(settings.secret_keys)
        most = settings.integer("WEB_THREADS", 8)
        self.upstreams = {
            name: Upstream(name, settings.service_url(name), most) for name in routes.SERVICES
        }
        tracker = self.upstreams["tracker"]
        self.patient = Upstream(tracker.service, tracker.url, max(1, most // 4), LONG_S)
        url = urlsplit(settings.public_url)
        self.scheme = url.scheme
        self.origin = f"{url.scheme}://{url.netloc}"
        named = f"{url.hostname},{settings.get('GATEWAY_HOSTS')}".split(",")
        self.limits = Limits.read(settings)
        self.step_up = StepUp(settings)
        self.proxies = settings.integer("GATEWAY_TRUSTED_PROXIES", 0)
        self.is_behind_nginx = settings.integer("GATEWAY_VERIFY", 0) > 0
        self.hosts = {name.strip().lower() for name in named} - {""}

    def __call__(self, environ: Environ, start_response: Callable) -> Iterable[bytes]:
        environ["exchange.request_id"] = request_id = secrets.token_hex(16)
        logs.request_id.set(request_id)
        logs.trace.set(follow(environ, request_id))
        environ["exchange.jar"] = cookies(environ)
        if (chosen := environ["exchange.jar"].get(self.door.language)) in LANGUAGES:
            environ["HTTP_ACCEPT_LANGUAGE"] = chosen
        environ["REMOTE_ADDR"] = address = client_address(environ, self.proxies)
        trail.origin.set(trail.Origin(address, environ["exchange.request_id"]))
        environ.pop(READ_ONLY_KEY, None)
        try:
            if self.is_behind_nginx and environ["PATH_INFO"] == verify.PATH:
                return verify.answer(self, environ, start_response)
            owner = environ["exchange.route"] = self.admit(environ)
            if owner == routes.OWN:
                return self.own_pages(environ, self.own(environ, start_response))
            return self.forward(owner, environ, start_response)
        except Refused as refusal:
            return self.refuse(refusal, environ, start_response)

    def admit(self, environ: Environ) -> str:
        """The service that may hear this request.  Raises Refused."""
        host = environ.get("HTTP_HOST", "")
        if host_name(host) not in self.hosts:
            environ["HTTP_HOST"] = urlsplit(self.origin).netloc
            raise Refused("This site is not known under that name.")
        path: str = environ["PATH_INFO"]
        if not routes.is_clean(path, str(environ.get("RAW_URI") or path)):
            raise Refused("This address could not be read.")
        method = environ["REQUEST_METHOD"]
        if method not in METHODS:
            raise NotAllowed("This address does not answer that kind of request.")
        if method not in SAFE and not self.is_from_here(environ, host):
            raise Forbidden("This form was sent from another site; nothing was done.")
        owner = routes.owner_of(path)
        # All forms but one are small: nobody has a thread wait for them, signed in or not.
        check_length(environ, BODY_MAX if path == routes.UPLOAD else FORM_MAX)
        if owner is None:
            raise NotFound("There is no such page.")
        return owner

    def is_from_here(self, environ: Environ, host: str) -> bool:
        """Whether a page of ours sent this, or a program that is no browser."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None:
            return origin in (self.origin, f"{self.scheme}://{host}")
        return environ.get("HTTP_SEC_FETCH_SITE", "none") in ("same-origin", "none")

    def caller(self, environ: Environ) -> Session | None:
        """Who is asking, looked up once a request.  Raises Away, also for a request that changes
        something while the primary is.
        """
        if "exchange.caller" not in environ:
            token = environ["exchange.jar"].get(self.door.session, "")
            environ["exchange.caller"] = None  # for the page that says why, if this raises
            environ["exchange.caller"] = sessions.find(token, clock.now())
        caller = environ["exchange.caller"]
        if caller and caller.is_read_only:
            environ[READ_ONLY_KEY] = "1"  # for the banner of the gateway's own pages
            if environ["REQUEST_METHOD"] not in SAFE:
                raise Away("Nothing can be changed just now; please try again in a moment.")
        return caller

    def identity(self, caller: Session, audience: str, environ: Environ) -> Identity:
        return Identity(
            user_id=caller.user_id,
            name=caller.name,
            role=caller.role,
            session_id=caller.id,
            audience=audience,
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            request_id=environ["exchange.request_id"],
            after=self.door.read_seen(environ["exchange.jar"]),
        )

    def upwards(self, owner: str, caller: Session, environ: Environ) -> Headers:
        """The request's headers as its service believes them."""
        request_id = environ["exchange.request_id"]
        headers = self.door.upwards(environ, environ["exchange.jar"], request_id)
        headers.append((HEADER, self.signer.sign(self.identity(caller, owner, environ))))
        if caller.is_read_only:
            headers.append((READ_ONLY, "1"))
        return headers

    def forward(self, owner: str, environ: Environ, start_response: Callable) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        guess = None
        if method in SAFE and "exchange.caller" not in environ:
            guess = sessions.guess(environ["exchange.jar"].get(self.door.session, ""))
        caller = guess or self.caller(environ)
        if caller is None:
            return self.turn_away(environ, start_response)
        body = None
        headers = self.upwards(owner, caller, environ)
        if method not in SAFE:
            self.step_up.check(caller, confirmation.FORMS.get(path), now=clock.now())
            if path == routes.UPLOAD and caller.role not in routes.UPLOADERS:
                raise Forbidden("Only %(roles)s accounts may do this.", roles=routes.UPLOADERS)
            body = body_of(environ, headers)
        target = routes.target_of(path, environ.get("QUERY_STRING", ""))
        upstream = self.patient if routes.LONG.fullmatch(target) else self.upstreams[owner]
        meanwhile = partial(self.confirm, guess, environ)
        release()  # others may look up who they are while this one waits
        try:
            answer, content = upstream.ask(method, target, headers, body, meanwhile)
        except sessions.WrongGuess:
            return self.forward(owner, environ, start_response)
        except Refused as refusal:
            trail.note_request(caller, method, path, refusal.status)
            raise
        trail.note_request(caller, method, path, answer.status)
        sent = self.door.downwards(answer.headers, environ, is_own=False)
        start_response(f"{answer.status} {answer.reason}", sent)
        return content

    def confirm(self, guess: Session | None, environ: Environ) -> None:
        """The caller is who the service was told.  Raises WrongGuess, Away."""
        if guess and not guess.is_as(self.caller(environ)):
            raise sessions.WrongGuess
        release()

    def own(self, environ: Environ, start_response: Callable) -> Callable:
        """The app's `start_response`, its headers passed through the same door."""

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable:
            caller = environ.get("exchange.caller")
            if caller and status.startswith(str(Forbidden.status)):
                method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
                trail.note_request(caller, method, path, Forbidden.status)
            sent = self.door.downwards(headers, environ, is_own=True)
            return start_response(status, sent, *([exc_info] if exc_info else []))

        return start

    def refuse(
        self, refusal: Refused, environ: Environ, start_response: Callable
    ) -> Iterable[bytes]:
        """The refusal as the app shows it, with the caller's navigation if they are known."""
        with self.app.request_context(environ):
            with suppress(Away):
                self.caller(environ)
            caller = environ["exchange.caller"]
            g.user = caller and self.identity(caller, routes.OWN, environ)
            if isinstance(refusal, ConfirmFirst):
                answer = confirmation.answer_to(refusal)
            else:
                answer = respond.error_page(refusal.status, refusal.sentence)
            answer = self.app.process_response(answer)
            return answer(environ, self.own(environ, start_response))

    def turn_away(self, environ: Environ, start_response: Callable) -> Iterable[bytes]:
        """No session: to the login page and back, or 401 for a program."""
        with self.app.request_context(environ):
            g.user = None
            return sign_in_first(environ)(environ, self.own(environ, start_response))


def sign_in_first(environ: Environ) -> Any:
    """303 to the login page, which leads back here; JSON: 401."""
    if respond.wants_json():
        return respond.json({"error": "Please sign in first."}, 401)
    back = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] not in SAFE:
        back = "/"
    elif environ.get("QUERY_STRING"):
        back += "?" + environ["QUERY_STRING"]
    return respond.see_other(f"/login?next={quote(back.encode('latin-1'), safe='/')}")


def host_name(host: str) -> str:
    """Without its port; empty if it is none."""
    found = HOST.fullmatch(host.lower())
    return found[1].strip("[]") if found else ""
