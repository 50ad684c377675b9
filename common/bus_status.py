"""What Redis says of streams and their groups; what it does not know is None, not zero."""

import time
from typing import Any

import redis

from common import stream
from common.db import Row, Server
from common.outbox import first_id

UNPUBLISHED = "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL AND id < %s)"
POLL_S = 0.2
AT_WORK_MS = 60_000  # a batch may take half of that


def lags(bus: redis.Redis) -> list[Row]:
    """One row a stream and group: its consumers at work; entries not delivered yet; those delivered
    but not acknowledged; the age in seconds of the oldest of these, and of the oldest of both.
    """
    found = []
    for name in sorted(bus.scan_iter(match=stream.name_of("*"), _type="stream")):
        groups: Any = bus.xinfo_groups(name)
        found += [group_row(bus, name, group) for group in groups]
    return found


def group_row(bus: redis.Redis, name: str, group: Any) -> Row:
    pending: Any = bus.xpending(name, group["name"])
    consumers: Any = bus.xinfo_consumers(name, group["name"])  # those that died are among them
    waiting: Any = bus.xrange(name, f"({group['last-delivered-id']}", count=1)
    unacknowledged = [pending["min"]] * bool(pending["pending"])
    return {
        "stream": name,
        "group": group["name"],
        "consumers": sum(one["idle"] < AT_WORK_MS for one in consumers),
        "lag": group.get("lag"),
        "pending": pending["pending"],
        "pending_s": age_s(unacknowledged),
        "oldest_s": age_s([entry_id for entry_id, _ in waiting] + unacknowledged),
    }


def age_s(entry_ids: list[str]) -> float:
    """How old the oldest of them is, 0 without any."""
    oldest_ms = min((stream.id_key(each)[0] for each in entry_ids), default=None)
    return 0.0 if oldest_ms is None else round(max(0.0, time.time() - oldest_ms / 1e3), 1)


def heard(bus: redis.Redis, owner: Server, producer: str, group: str, within_s: float) -> bool:
    """Whether `group` has handled all that `producer`, whose database `owner` is, had said before
    this was called; waited for up to `within_s` seconds.
    """
    outbox = Server(None)  # a connection of its own: the caller's may be looking at one moment
    outbox.open(owner.database)
    try:
        end = time.monotonic() + within_s
        before = first_id(outbox.value("SELECT clock_timestamp() + interval '1 ms'"))
        name, last = stream.name_of(producer), None
        while True:
            if last is None and not outbox.value(UNPUBLISHED, before):
                last = stream.extent(bus, name)[0]
            if last is not None and has_acknowledged(bus, name, group, last):
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(POLL_S)
    finally:
        outbox.close_quietly()


def has_acknowledged(bus: redis.Redis, name: str, group: str, last: str) -> bool:
    """Whether the group has acknowledged the entry `last` and all before it."""
    if last == stream.START:
        return True
    groups: Any = bus.xinfo_groups(name)
    delivered = [one["last-delivered-id"] for one in groups if one["name"] == group]
    if not delivered or stream.id_key(delivered[0]) < stream.id_key(last):
        return False
    # In this order: what is delivered in between is later than `last`.
    pending: Any = bus.xpending(name, group)
    return not pending["pending"] or stream.id_key(pending["min"]) > stream.id_key(last)
