"""What a process looks at before it starts: servers that answer, are ours, and keep what they get.

Who can do nothing does not start, and says in one sentence which variable names the server that is
wrong; who can do something starts, and warns.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import redis

from common import stream
from common.config import Config
from common.db import LOST, Server, deadline
from common.errors import Misconfigured
from common.migrate import compared

log = logging.getLogger("startup")

POSTGRES_MIN = 150_000
REDIS_MIN = (7, 0)
LOOK_S = 5.0
# The server has answered and will not let us in, however long we wait; these it may get over.
REFUSED = re.compile(r"FATAL|no pg_hba|received invalid response")
PASSING = re.compile(r"starting up|shutting down|recovery|too many|remaining connection slots")
# A migration the release before can live with says so in its name: 0007_expand_notes.
EXPAND = re.compile(r"\d+_expand_")


def check(service: Any, kind: str, settings: Config) -> None:
    """The process `kind` of the service can do its work.  Raises Misconfigured."""
    needs_bus, needs_queue = kind in ("relay", "consume"), kind == "work"
    if service.store:
        owned = f"{service.name.upper()}_DATABASE_URL", f"{service.name.upper()}_REPLICA_URL"
        check_database(settings, *owned, service.directory / "migrations", reads=kind == "web")
    else:
        for name in sorted(key for key in settings.env if re.fullmatch(r"ANALYTICS_.+_URL", key)):
            warn(missing(settings, name))
    check_redis("BUS_URL", settings.bus_url, is_needed=needs_bus)
    if service.has_jobs:
        check_redis("QUEUE_URL", settings.queue_url, is_needed=needs_queue)


def need_primary(service: Any, settings: Config) -> None:
    """The database of the service, if it has one, answers.  Raises Misconfigured."""
    if service.store and (away := missing(settings, f"{service.name.upper()}_DATABASE_URL")):
        raise Misconfigured(away)


def check_database(
    settings: Config, primary: str, replica: str, migrations: Path, *, reads: bool
) -> None:
    """The database answers and is of this release; without its primary, a web can still read."""
    away = missing(settings, primary)
    if away and (not reads or missing(settings, replica)):
        raise Misconfigured(away)
    warn(away)
    server = opened(settings, replica if away else primary)
    try:
        with deadline(LOOK_S):
            check_release(primary, server, migrations)
    except LOST as error:
        raise Misconfigured(sentence(primary, server, error)) from error
    finally:
        server.close_quietly()


def opened(settings: Config, name: str) -> Server:
    server = Server(None)
    try:
        server.open(settings.postgres(name))
    except psycopg2.ProgrammingError as error:
        raise Misconfigured(f"{name} could not be read: {first_line(error)}.") from error
    return server


def missing(settings: Config, name: str) -> str | None:
    """Why the server that `name` names is away; None if it answers.  Raises Misconfigured if it is
    the wrong one.
    """
    server = opened(settings, name)
    try:
        version = server.connection().server_version
    except LOST as error:
        told = sentence(name, server, error)
        if REFUSED.search(told) and not PASSING.search(told):
            raise Misconfigured(told) from error
        return told
    finally:
        server.close_quietly()
    if version < POSTGRES_MIN:
        where = places(server)
        raise Misconfigured(f"{name}: {where} is too old; PostgreSQL 15 or newer is needed.")
    return None


def sentence(name: str, server: Server, error: Exception) -> str:
    return f"{name}: {places(server)} does not let us in: {first_line(error)}."


def places(server: Server) -> str:
    return ", ".join(f"{host or 'localhost'}:{port}" for host, port in server.hosts)


def first_line(error: Exception) -> str:
    # psycopg2 says the place first, which we have said.
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rpartition("failed: ")[2].strip().rstrip(".?")


def check_release(name: str, server: Server, migrations: Path) -> None:
    """Raises Misconfigured if the database is older than this release, or too new for it."""
    where = f"{name}: the database at {places(server)}"
    newer, pending = compared(server, migrations)
    if pending:
        raise Misconfigured(f"{where} is not up to date; run `exchange migrate` first.")
    for each in newer:
        if not EXPAND.match(each):
            raise Misconfigured(f"{where} is of a newer release ({each}); install that one.")
        log.warning("%s is of a newer release (%s), which this one can live with", where, each)


def check_redis(name: str, url: str, *, is_needed: bool) -> None:
    """The server answers, if it is needed; what it would lose is warned of."""
    try:
        with stream.connect(url, timeout_s=2) as server:
            for weakness in weaknesses(server):
                warn(f"{name}: {stream.place(url)} {weakness}.")
    except (redis.RedisError, OSError, ValueError) as error:
        told = f"{name}: {stream.place(url)} does not let us in: {first_line(error)}."
        wrong = isinstance(error, (redis.AuthenticationError, redis.ResponseError, ValueError))
        if is_needed or wrong:
            raise Misconfigured(told) from error
        warn(told)


def weaknesses(server: redis.Redis) -> Iterator[str]:
    """Each thing for which the server could lose what it was given.  Raises RedisError."""
    info: Any = server.info()
    version = tuple(int(part) for part in info["redis_version"].split(".")[:2])
    if version < REDIS_MIN:
        yield f"is Redis {info['redis_version']}; 7.0 or newer is needed"
    if (policy := info.get("maxmemory_policy", "noeviction")) != "noeviction":
        yield f"would evict what it holds when memory is short (maxmemory-policy {policy})"
    if not info.get("aof_enabled") and not saves(server):
        yield "keeps nothing on disk (neither appendonly nor save)"


def saves(server: redis.Redis) -> bool:
    """Whether it writes snapshots; one that does not say is believed to."""
    try:
        found: Any = server.config_get("save")
    except redis.ResponseError:
        return True
    return bool(found.get("save", "?"))


def warn(told: str | None) -> None:
    if told:
        log.warning("%s", told)
