"""What Redis says of streams and their groups; what it does not know is None, not zero."""

import time
from typing import Any

import redis

from common import stream
from common.db import Row


def lags(bus: redis.Redis) -> list[Row]:
    """One row a stream and group: entries not delivered yet, delivered but not acknowledged, and
    the age in seconds of the oldest of both.
    """
    found = []
    for name in sorted(bus.scan_iter(match=stream.name_of("*"), _type="stream")):
        groups: Any = bus.xinfo_groups(name)
        found += [group_row(bus, name, group) for group in groups]
    return found


def group_row(bus: redis.Redis, name: str, group: Any) -> Row:
    pending: Any = bus.xpending(name, group["name"])
    waiting: Any = bus.xrange(name, f"({group['last-delivered-id']}", count=1)
    oldest = [entry_id for entry_id, _ in waiting] + [pending["min"]] * bool(pending["pending"])
    oldest_ms = min((stream.id_key(each)[0] for each in oldest), default=None)
    return {
        "stream": name,
        "group": group["name"],
        "lag": group.get("lag"),
        "pending": pending["pending"],
        "oldest_s": 0.0 if oldest_ms is None else round(max(0.0, time.time() - oldest_ms / 1e3), 1),
    }
