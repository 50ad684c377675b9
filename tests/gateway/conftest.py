"""People in the gateway's own table, browsers that sign in, and a small service to forward to."""

import threading
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from common.config import Config
from common.web.csrf import FIELD
from gateway import passwords, sessions
from gateway.app import create_app
from gateway.limits import Limits
from gateway.models import primary
from tests.conftest import CAST, Cast, Person

PASSWORD = "correct horse"
ANONYMOUS: dict[str, Any] = {
    "limit": Limits(account=100, address=100),
    "instead_of": "",
    "address": "",
    "user_agent": "",
}


@cache
def password_hash() -> str:
    return passwords.digest(PASSWORD)


@pytest.fixture
def people(clean: None) -> Cast:
    """The cast, each with the same password."""
    sessions.breaker.answered()
    for one in CAST:
        primary.run(
            "INSERT INTO person (id, email, name, role, is_active, password_hash, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, now())",
            one.id,
            one.email,
            one.name,
            one.role,
            one.is_active,
            password_hash(),
        )
    return CAST


class Browser:
    """Somebody's browser at the gateway."""

    def __init__(self, app: Any, settings: Config) -> None:
        self.base = settings.public_url
        self.http = app.test_client()
        self.csrf = ""

    def open(self, method: str, path: str, *, html: bool = False, **more: Any) -> Any:
        accept = "text/html" if html else "application/json"
        headers = {"Accept": accept, **more.pop("headers", {})}
        return self.http.open(path, method=method, headers=headers, base_url=self.base, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.open("GET", path, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
        return self.open("POST", path, data={FIELD: self.csrf, **(data or {})}, **more)

    def sign_in(self, email: str, password: str = PASSWORD, **more: Any) -> Any:
        self.csrf = self.get("/login").json["csrf_token"]
        answer = self.post("/login", {"email": email, "password": password, **more})
        if answer.status_code == 200:
            page = self.get("/account", html=True).text
            self.csrf = page.split(f'name="{FIELD}" value="')[1].split('"')[0]
        return answer

    def cookie(self, name: str) -> str:
        return self.http.get_cookie(name, "127.0.0.1").value

    def copy_cookie(self, name: str, other: "Browser") -> None:
        self.http.set_cookie(name, other.cookie(name), domain="127.0.0.1")


class Upstream(ThreadingHTTPServer):
    """A service of the test's making; it remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.connections = 0
        self.answer: Callable[[BaseHTTPRequestHandler], None] = plain

    def handle_error(self, *_: Any) -> None:
        """The gateway may have hung up on a slow answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def headers(self) -> dict[str, str]:
        """Those of the last request."""
        return self.asked[-1][2]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        self.server.answer(self)

    do_GET = do_POST = do_HEAD = serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


def reply(
    handler: BaseHTTPRequestHandler, *headers: tuple[str, str], status: int = 200, text: str = "hi"
) -> None:
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(text.encode())


def plain(handler: BaseHTTPRequestHandler) -> None:
    reply(handler)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def app(settings: Config, upstream: Upstream) -> Any:
    """The gateway, every service of which is the test's own."""
    names = ("TRACKER_URL", "ACCOUNTING_URL", "ANALYTICS_URL", "MAILER_URL")
    return create_app(Config({**settings.env, **dict.fromkeys(names, upstream.url)}))


@pytest.fixture
def browser(app: Any, settings: Config) -> Callable[[], Browser]:
    return lambda: Browser(app, settings)


@pytest.fixture
def as_person(browser: Callable[[], Browser], people: Cast) -> Callable[[Person], Browser]:
    """`as_person(cast.bob)` is Bob's browser, signed in."""

    def sign_in(who: Person) -> Browser:
        found = browser()
        assert found.sign_in(who.email).status_code == 200
        return found

    return sign_in
