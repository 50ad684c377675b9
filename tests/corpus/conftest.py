"""Every service's web as gunicorn serves it, the gateway twice: before the services, and before a
small one that counts.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from common.config import Config
from common.identity import Identity, Signer
from common.stack.state import free_ports
from gateway import sessions
from gateway.models import primary
from tests.conftest import CAST, Ground, Person
from tests.gateway.conftest import Upstream

EXCHANGE = str(Path(sys.executable).with_name("exchange"))
SERVICES = ("tracker", "accounting", "analytics", "mailer")
PREVIOUS = "p" * 64
PAGES = {
    "front": "/tasks",
    "tracker": "/tasks",
    "accounting": "/payout-runs",
    "analytics": "/earnings",
    "mailer": "/mail",
}
READY_S = 120.0


@dataclass
class Doors:
    """The ports of the services, of the `gateway` before them, and of the `front` before what
    counts; and who may come in.
    """

    ports: dict[str, int]
    upstream: Upstream
    keys: tuple[str, ...]

    def identity(self, name: str, method: str, path: str, who: Person = CAST.fay, **more) -> str:
        """What the gateway would sign for this one request."""
        facts = {
            "user_id": who.id,
            "name": who.name,
            "role": who.role,
            "session_id": who.id,
            "audience": name,
            "method": method,
            "path": path,
            "request_id": "corpus",
        }
        return Signer(more.pop("keys", self.keys)).sign(Identity(**facts | more))


def is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def web(service: str, env: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen([EXCHANGE, service, "web"], env={**os.environ, **env})
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def doors(settings: Config) -> Iterator[Doors]:
    names = ("gateway", "front", *SERVICES)
    ports = free_ports(dict.fromkeys(names))
    one = {"WEB_CONCURRENCY": "1", "EXCHANGE_SECRET_KEY_PREVIOUS": PREVIOUS}
    urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in SERVICES}
    upstream = Upstream()
    threading.Thread(target=upstream.serve_forever, args=(0.05,), daemon=True).start()
    counted = dict.fromkeys(urls, upstream.url)
    with ExitStack() as running:
        for name in names:
            env = one | (counted if name == "front" else urls)
            if name in ("gateway", "front"):
                env |= {"GATEWAY_BIND": f"127.0.0.1:{ports[name]}"}
                env |= {"EXCHANGE_URL": f"http://127.0.0.1:{ports[name]}"}
            running.enter_context(web("gateway" if name == "front" else name, env))
        end = time.monotonic() + READY_S
        while not all(is_up(port) for port in ports.values()):
            assert time.monotonic() < end, "the services do not start"
            time.sleep(0.05)
        yield Doors(ports, upstream, settings.secret_keys)
    upstream.shutdown()
    upstream.server_close()


@pytest.fixture(scope="module")
def session_of(doors: Doors, grounds: list[Ground]) -> Callable[[Person], str]:
    """`session_of(bob)` is the cookie of a session of his; the databases are clean, and he has
    access.
    """
    for ground in grounds:
        ground.db.close_quietly()
        ground.restore()
    for one in CAST:
        primary.run(
            "INSERT INTO person (id, email, name, role, is_active, password_hash, created_at)"
            " VALUES (%s, %s, %s, %s, %s, 'none', now())",
            *(one.id, one.email, one.name, one.role, one.is_active),
        )

    def sign_in(who: Person) -> str:
        token = sessions.new_token()
        primary.run(
            "INSERT INTO session (id, user_id, token_sha256, created_at, last_seen_at,"
            " confirmed_at, expires_at, address, device)"
            " VALUES (%s, %s, %s, now(), now(), now(), now() + '1 day', '', '')",
            *(uuid4(), who.id, sessions.sha256(token)),
        )
        return token

    return sign_in
