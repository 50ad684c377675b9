"""A process that could do nothing says which server is wrong, and does not start."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.stack import free_port
from common import startup, stream
from common.config import Config
from common.db import Server
from common.errors import Misconfigured
from common.service import Service, services

EXCHANGE = Path(sys.executable).with_name("exchange")


@pytest.fixture
def tracker(settings: Config) -> Service:
    return next(service for service in services() if service.name == "tracker")


def changed(settings: Config, **values: str) -> Config:
    return Config({**settings.env, **values})


@pytest.mark.parametrize("name", ["TRACKER_DATABASE_URL", "BUS_URL"])
def test_a_relay_whose_server_is_away_exits_with_a_sentence(settings: Config, name: str) -> None:
    place = f"127.0.0.1:{free_port()}"
    scheme = "postgresql" if "DATABASE" in name else "redis"
    env = {**os.environ, name: f"{scheme}://{place}/tracker", "EXCHANGE_LOG": "plain"}

    ended = subprocess.run(
        [EXCHANGE, "tracker", "relay"], env=env, capture_output=True, text=True, timeout=60
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Error: {name}: {place}")
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr


def test_a_web_starts_on_its_replica_alone(
    settings: Config, tracker: Service, caplog: pytest.LogCaptureFixture
) -> None:
    away = changed(settings, TRACKER_DATABASE_URL=f"postgresql://127.0.0.1:{free_port()}/tracker")

    startup.check(tracker, "web", away)

    assert "TRACKER_DATABASE_URL: 127.0.0.1:" in caplog.text
    with pytest.raises(Misconfigured, match="TRACKER_DATABASE_URL"):
        startup.check(tracker, "consume", away)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("tracker:", "nobody:"), "password authentication failed"),
        (("/tracker?", "/elsewhere?"), 'database "elsewhere" does not exist'),
    ],
)
def test_a_wrong_database_stops_every_kind(
    settings: Config, tracker: Service, change: tuple[str, str], why: str
) -> None:
    wrong = settings.need("TRACKER_DATABASE_URL").replace(*change)

    for kind in ("web", "relay"):
        with pytest.raises(Misconfigured, match=why) as refused:
            startup.check(tracker, kind, changed(settings, TRACKER_DATABASE_URL=wrong))
        assert str(refused.value).startswith("TRACKER_DATABASE_URL: 127.0.0.1:")


def test_a_wrong_password_of_the_bus_is_said_without_it(settings: Config, tracker: Service) -> None:
    url = settings.bus_url.replace("redis://default:", "redis://default:wrong")

    with pytest.raises(Misconfigured, match=r"^BUS_URL: 127\.0\.0\.1:\d+/0 does not") as refused:
        startup.check(tracker, "web", changed(settings, BUS_URL=url))

    assert "wrong" not in str(refused.value)


@contextmanager
def told_of(server: Server, name: str) -> Iterator[None]:
    """The database says that the migration was applied to it."""
    server.run("INSERT INTO schema_migration (name, applied) VALUES (%s, now())", name)
    try:
        yield
    finally:
        server.run("DELETE FROM schema_migration WHERE name = %s", name)


def test_a_database_of_a_newer_release_is_refused(settings: Config, tracker: Service) -> None:
    with told_of(tracker.primary(), "9001_future"):
        with pytest.raises(Misconfigured, match=r"of a newer release \(9001_future\)"):
            startup.check(tracker, "web", settings)
        with pytest.raises(Misconfigured, match="newer release"):
            tracker.migrate()


def test_what_the_next_release_only_adds_is_lived_with(
    settings: Config, tracker: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with told_of(tracker.primary(), "9001_expand_notes"):
        startup.check(tracker, "web", settings)

    assert "9001_expand_notes" in caplog.text


def test_a_database_that_was_not_migrated_is_refused(settings: Config, tracker: Service) -> None:
    primary = tracker.primary()
    primary.run("UPDATE schema_migration SET name = '0002_t' WHERE name = '0002_tally'")
    try:
        with pytest.raises(Misconfigured, match="run `exchange migrate` first"):
            startup.check(tracker, "web", settings)
    finally:
        primary.run("UPDATE schema_migration SET name = '0002_tally' WHERE name = '0002_t'")


def test_a_bus_that_would_lose_what_it_holds_is_warned_of(
    settings: Config, tracker: Service, caplog: pytest.LogCaptureFixture, client, cast
) -> None:
    caplog.set_level(logging.WARNING)
    with stream.connect(settings.bus_url) as bus:
        bus.config_set("maxmemory-policy", "allkeys-lru")
        bus.config_set("appendonly", "no")
        try:
            startup.check(tracker, "relay", settings)
            shown = client("tracker", cast.bob).get("/readyz").json["dependencies"]["bus"]
        finally:
            bus.config_set("maxmemory-policy", "noeviction")
            bus.config_set("appendonly", "yes")

    policy = "would evict what it holds when memory is short (maxmemory-policy allkeys-lru)"
    assert "BUS_URL: 127.0.0.1" in caplog.text
    for text in (caplog.text, shown):
        assert policy in text
        assert "keeps nothing on disk" in text
    assert client("tracker", cast.bob).get("/readyz").json["dependencies"]["bus"] == "ok"
