"""Real servers for the whole session, clean databases for each test, and the cast."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from xdist.scheduler import LoadScopeScheduling

from common import config, stream
from common.db import Server
from common.events import UserAdded
from common.identity import HEADER, Identity, Signer
from common.outbox import Outbox
from common.service import Service, load, services
from common.stack.servers import Servers
from common.store import look
from common.web import LSN_HEADER
from common.web.csrf import FIELD, token_for

pytest_plugins = ["tests.promises"]


@dataclass(frozen=True)
class Person:
    """Somebody of the cast, with what an Identity has where a test needs one."""

    id: UUID
    name: str
    role: str
    is_active: bool = True
    email: str = ""

    @property
    def user_id(self) -> UUID:
        return self.id


@dataclass(frozen=True)
class Cast:
    """Ann manages, Bob and Cat work, Dan is an accountant, Eve may do nothing, Fay administers."""

    ann: Person
    bob: Person
    cat: Person
    dan: Person
    eve: Person
    fay: Person

    def __iter__(self) -> Iterator[Person]:
        return iter((self.ann, self.bob, self.cat, self.dan, self.eve, self.fay))

    @property
    def dealt_to(self) -> list[Person]:
        return sorted((self.bob, self.cat, self.dan), key=lambda person: person.id)


def person(number: int, name: str, role: str, is_active: bool = True) -> Person:
    made = UUID(f"01900000-0000-7000-8000-{number:012d}")
    return Person(made, name, role, is_active, f"{name.lower()}@example.com")


CAST = Cast(
    person(1, "Ann", "manager"),
    person(2, "Bob", "worker"),
    person(3, "Cat", "worker"),
    person(4, "Dan", "accountant"),
    person(5, "Eve", "worker", is_active=False),
    person(6, "Fay", "admin"),
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Where several processes share the tests, a file stays in one, and all of the browser's do:
    theirs is one stack.
    """

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "the browser's" if "/browser/" in file else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[config.Config]:
    """The configuration of real servers that live as long as the test session."""
    servers = Servers(tmp_path_factory.mktemp("stack"), fast=True)
    servers.start()
    os.environ.update(servers.env)
    config.current.cache_clear()
    found = config.current()
    for service in services():
        service.open(found)
        service.migrate()
    yield found
    for service in services():
        if service.store:
            service.store.close()
    servers.stop()


@dataclass
class Ground:
    """What a database holds right after migrating."""

    db: Server
    tables: list[str] = field(default_factory=list)
    seeds: dict[str, str] = field(default_factory=dict)

    def survey(self) -> "Ground":
        rows = self.db.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = [row["tablename"] for row in rows if "migration" not in row["tablename"]]
        self.tables = [f'"{name}"' for name in names]
        for table in self.tables:
            rows = self.db.value(f"SELECT json_agg(t)::text FROM {table} t")
            if rows:
                self.seeds[table] = rows
        return self

    def restore(self) -> None:
        with self.db.atomic():
            self.db.execute_sql(f"TRUNCATE {', '.join(self.tables)} CASCADE")
            for table, rows in self.seeds.items():
                self.db.run(
                    f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, %s)",
                    rows,
                )


@pytest.fixture(scope="session")
def grounds(settings: config.Config) -> list[Ground]:
    return [Ground(service.primary()).survey() for service in services() if service.store]


@pytest.fixture
def clean(settings: config.Config, grounds: list[Ground]) -> Iterator[None]:
    """Databases as just migrated, also on the standbys; an empty Valkey, no thread's leftovers."""
    for ground in grounds:
        ground.db.close_quietly()
        ground.restore()
    with stream.connect(settings.bus_url) as bus:
        bus.flushall()
    await_standbys()


@pytest.fixture
def inbox(settings: config.Config) -> Path:
    """The folder of the SMTP inbox, emptied."""
    folder = Path(settings.need("EXCHANGE_STATE")) / "inbox"
    for letter in folder.glob("*.eml"):
        letter.unlink()
    return folder


def await_standbys() -> None:
    for service in in_order(lambda s: bool(s.store)):
        lsn = service.primary().value("SELECT pg_current_wal_lsn()")
        end = time.monotonic() + 10
        assert service.store
        while not look(service.store.replica, lsn)[1]:
            assert time.monotonic() < end, "the standby does not follow"
            time.sleep(0.005)


def in_order(wanted: Callable[[Service], bool]) -> list[Service]:
    return [service for service in services() if wanted(service)]


@pytest.fixture
def pump(settings: config.Config, clean: None) -> Callable[[], int]:
    """Relays and consumers run by hand until nothing is left to publish or handle."""
    relays = [service.relay(settings) for service in in_order(lambda s: s.has_relay)]
    consumers = [service.consumer(settings) for service in in_order(lambda s: bool(s.handlers))]

    def run() -> int:
        total = 0
        while moved := sum(r.drain() for r in relays) + sum(c.drain() for c in consumers):
            total += moved
        return total

    return run


@pytest.fixture
def replayed(settings: config.Config) -> Callable[[], None]:
    """The standby shows everything committed so far."""
    return await_standbys


@pytest.fixture
def cast(settings: config.Config, pump: Callable[[], int]) -> Cast:
    """The people, known to every service that listens."""
    gateway = services()[0].primary()
    with gateway.atomic():
        Outbox(gateway, "gateway").add_all(
            UserAdded(
                user_id=one.id,
                email=one.email,
                name=one.name,
                role=one.role,
                is_active=one.is_active,
                user_version=1,
            )
            for one in CAST
        )
    pump()
    return CAST


class Client:
    """A person at a service's own port, with the gateway's signature on every request."""

    def __init__(self, app: Any, settings: config.Config, who: Person, session_id: UUID) -> None:
        self.app = app
        self.settings = settings
        self.who = who
        self.session_id = session_id
        self.csrf = token_for(settings.secret_keys[0], str(session_id))
        self.after: dict[str, str] = {}
        self.http = app.test_client()

    def headers(self, method: str, path: str, as_json: bool) -> dict[str, str]:
        identity = Identity(
            user_id=self.who.id,
            name=self.who.name,
            role=self.who.role,
            session_id=self.session_id,
            audience=self.app.name,
            method=method,
            path=path.partition("?")[0],
            request_id="test",
            after=self.after,
        )
        accept = "application/json" if as_json else "text/html"
        return {HEADER: Signer(self.settings.secret_keys).sign(identity), "Accept": accept}

    def send(self, method: str, path: str, *, html: bool = False, **more: Any) -> Any:
        headers = {**self.headers(method, path, not html), **more.pop("headers", {})}
        answer = self.http.open(path, method=method, headers=headers, **more)
        if LSN_HEADER in answer.headers:
            name, _, lsn = answer.headers[LSN_HEADER].partition("=")
            self.after = {**self.after, name: lsn}
        return answer

    def get(self, path: str, *, html: bool = False) -> Any:
        """The answer, JSON unless `html`."""
        return self.send("GET", path, html=html)

    def post(self, path: str, data: Any = None, *, html: bool = False, **more: Any) -> Any:
        """The answer to a form with a good token, JSON unless `html`."""
        body = {FIELD: self.csrf, **(data or {})}
        return self.send("POST", path, html=html, data=body, **more)


@pytest.fixture(scope="session")
def apps(settings: config.Config) -> Callable[[str], Any]:
    made: dict[str, Any] = {}

    def app(name: str) -> Any:
        if name not in made:
            service = next(s for s in services() if s.name == name)
            made[name] = load(service.app)(settings)
        return made[name]

    return app


@pytest.fixture
def client(
    apps: Callable[[str], Any], settings: config.Config, clean: None
) -> Callable[[str, Person], Client]:
    """`client("tracker", cast.bob)` talks to the service as that person."""

    def sign_in(service: str, who: Person) -> Client:
        return Client(apps(service), settings, who, uuid4())

    return sign_in


def read_json(answer: Any) -> Any:
    return json.loads(answer.data)
