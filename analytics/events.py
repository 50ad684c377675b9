"""`/events`: how far each group is behind on the bus, and the events nobody could handle."""

from collections.abc import Iterator
from heapq import merge
from typing import Any
from uuid import UUID

import msgspec
import redis
from flask import Blueprint, Response, current_app, request

from analytics.sources import OWNERS, sources
from common import bus_status, stream
from common.db import Row
from common.errors import Away
from common.say import say
from common.service import services
from common.store import Reading
from common.web import paging, reading, require, respond

bp = Blueprint("events", __name__)

HEADER = ["id", "service", "event", "error", "deliveries", "at"]

DEAD = "SELECT id, %s AS service, event, error, deliveries, at FROM report_dead_letters"
COUNT = "SELECT count(*) FROM (SELECT FROM report_dead_letters LIMIT %s) AS found"


@bp.before_request
def admins_only() -> None:
    require("admin")


def asked_services() -> list[str]:
    service = request.args.get("service")
    return [name for name in OWNERS if service in (name, None, "")] or list(OWNERS)


def readings(services: list[str]) -> tuple[dict[str, Reading], list[str]]:
    """Those that answer, and the names of those that do not."""
    found: dict[str, Reading] = {}
    for name in services:
        try:
            found[name] = reading(sources[name])
        except Away:
            continue
    return found, [name for name in services if name not in found]


def dead_letters(found: dict[str, Reading], before: Any, limit: int) -> list[Row]:
    """The newest of all services together, older than the key."""
    rows: list[Row] = []
    for name, r in found.items():
        test, key = (" WHERE id < %s", before) if before else ("", ())
        rows += r.db.rows(f"{DEAD}{test} ORDER BY id DESC LIMIT %s", name, *key, limit)
    return sorted(rows, key=lambda row: row["id"], reverse=True)[:limit]


def streams() -> tuple[list[Row], list[str]]:
    """What the bus says, and "bus" among those away if it says nothing."""
    try:
        with stream.connect(current_app.config["EXCHANGE"].bus_url, timeout_s=1) as bus:
            return bus_status.lags(bus), []
    except (redis.RedisError, OSError):
        return [], ["bus"]


@bp.get("/events")
def index() -> Response:
    found, away = readings(asked_services())
    rows = dead_letters(found, paging.asked(UUID), paging.SIZE + 1)
    rows, following = paging.cut(rows)
    lags, bus_away = streams()
    facts = {"streams": lags, "dead": rows, "next": following, "away": bus_away + away}
    most = paging.COUNT_MAX + 1
    counts = {name: r.db.value(COUNT, most) for name, r in found.items()}
    extra: dict[str, Any] = {"count": sum(counts.values()), "counts": counts, "pretty": pretty}
    extra["redrivable"] = [service.name for service in services() if service.handlers]
    oldest = min(found.values(), key=lambda r: r.as_of, default=None)
    extra |= oldest.age if oldest else {"as_of": None, "lag_s": None}
    choices = [("", say("Any")), *((name, name.capitalize()) for name in OWNERS)]
    return respond.page("analytics/events.html", facts, choices=choices, **extra)


def pretty(event: str) -> str:
    """The event with a line for each of its fields; what is no JSON as it is."""
    try:
        return msgspec.json.format(event)
    except msgspec.MsgspecError:
        return event


@bp.get("/events.csv")
def table() -> Response:
    found, _ = readings(asked_services())
    return respond.csv_stream("events.csv", HEADER, every(found))


def every(found: dict[str, Reading]) -> Iterator[Row]:
    """All dead letters, newest first."""
    each = (r.db.stream(f"{DEAD} ORDER BY id DESC", name) for name, r in found.items())
    return merge(*each, key=lambda row: row["id"], reverse=True)
