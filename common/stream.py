"""Redis Streams: the few commands we use, on a connection that never retries by itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection

FIELD = "event"
START = "0-0"


@dataclass(frozen=True)
class Entry:
    """One message of a stream as delivered to a consumer."""

    stream: str
    id: str
    text: str


class Managed(SentinelManagedConnection):
    """Closed when the wait for a reply ends in an error, as any other connection is, or the next
    command would be given that reply (https://github.com/redis/redis-py/pull/4292).
    """

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        return super().read_response(*arguments, **{"disconnect_on_error": True, **options})


def name_of(producer: str) -> str:
    return f"events:{producer}"


def client(url: str, **options: Any) -> redis.Redis:
    """A client of the server at `url`, or of whichever is the master of a
    `sentinel://:password@host:26379,host:26379/NAME/0`, asked of its sentinels at each connection.
    """
    if not url.startswith("sentinel://"):
        return redis.Redis.from_url(url, **options)
    parts = urlsplit(url)
    who, _, hosts = parts.netloc.rpartition("@")
    user, _, password = who.partition(":")
    name, _, number = parts.path.strip("/").partition("/")
    sentinels = [(host, int(port or 26379)) for host, _, port in map(split_port, hosts.split(","))]
    secret = parse_qs(parts.query).get("sentinel_password", [None])[0]
    limits = {"socket_timeout": 1, "socket_connect_timeout": 1, "password": secret}
    found: redis.Redis = Sentinel(sentinels, sentinel_kwargs=limits).master_for(
        name,
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(number or 0),
        connection_class=Managed,
        **options,
    )
    return found


def split_port(host: str) -> tuple[str, str, str]:
    return host.partition(":")


def connect(url: str, timeout_s: float = 5.0) -> redis.Redis:
    """A client whose commands are sent once: a retried XADD publishes twice, and a retried
    XREADGROUP skips what the lost reply carried.
    """
    return client(
        url,
        decode_responses=True,
        encoding_errors="replace",
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout_s,
        socket_connect_timeout=2,
        health_check_interval=0,
        protocol=2,
    )


def place(url: str) -> str:
    """Where the server is, without the password."""
    return url.partition("://")[2].rpartition("@")[2].partition("?")[0]


def publish(bus: redis.Redis, stream: str, texts: Sequence[str]) -> list[str]:
    """One entry each, in order, in one round trip; returns their ids."""
    # As one transaction, or a consumer that waits would be given the first entry alone.
    with bus.pipeline(transaction=True) as pipe:
        for text in texts:
            pipe.xadd(stream, {FIELD: text})
        return pipe.execute()


def extent(bus: redis.Redis, stream: str) -> tuple[str, int]:
    """The last id ever given and how many entries were ever added; `0-0, 0` for no stream."""
    try:
        info: Any = bus.xinfo_stream(stream)
    except redis.ResponseError as error:
        if "no such key" in str(error):
            return START, 0
        raise
    return info["last-generated-id"], info["entries-added"]


def acknowledged(bus: redis.Redis, stream: str, groups: Iterable[str]) -> str | None:
    """An entry before which every one of `groups` has acknowledged all; None while a group is
    missing or the stream is.
    """
    try:
        found: Any = bus.xinfo_groups(stream)
    except redis.ResponseError as error:
        if "no such key" in str(error):
            return None
        raise
    delivered = {group["name"]: group["last-delivered-id"] for group in found}
    marks = [extent(bus, stream)[0]]
    for group in groups:
        if not delivered.get(group):
            return None
        # In this order: what is delivered in between is later than `last-delivered-id`.
        pending: Any = bus.xpending(stream, group)
        marks += [delivered[group]] + [pending["min"]] * bool(pending["pending"])
    return min(marks, key=id_key)


def trim(bus: redis.Redis, stream: str, before: str) -> None:
    """What is before the entry is gone, but for what shares a node of the stream with it."""
    # One command drops some nodes at most, so that nobody waits for it.
    while bus.xtrim(stream, minid=before, approximate=True):
        pass


def first(bus: redis.Redis, stream: str) -> Entry | None:
    """The oldest entry still there."""
    found: Any = bus.xrange(stream, count=1)
    return next(iter(entries(stream, found)), None)


def ensure_groups(bus: redis.Redis, streams: Iterable[str], group: str) -> None:
    """The group exists on every stream and has everything before it still to read."""
    for stream in streams:
        try:
            bus.xgroup_create(stream, group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


def read(
    bus: redis.Redis,
    group: str,
    consumer: str,
    streams: Sequence[str],
    count: int,
    *,
    own: bool,
    block_ms: int | None = None,
) -> list[Entry]:
    """New entries, or with `own` those delivered to this consumer before and not acknowledged."""
    wanted: Any = dict.fromkeys(streams, "0" if own else ">")
    found: Any = bus.xreadgroup(group, consumer, wanted, count=count, block=block_ms) or []
    return [entry for stream, messages in found for entry in entries(stream, messages)]


def claim(
    bus: redis.Redis, group: str, consumer: str, stream: str, idle_ms: int, count: int
) -> list[Entry]:
    """Entries that other consumers left unacknowledged for `idle_ms`, now this consumer's."""
    found: Any = bus.xautoclaim(stream, group, consumer, idle_ms, count=count)
    return list(entries(stream, found[1]))


def entries(stream: str, messages: Any) -> Iterable[Entry]:
    # A trimmed entry that was still pending comes back with no fields.
    for entry_id, fields in messages:
        yield Entry(stream, entry_id, (fields or {}).get(FIELD, ""))


def deliveries(bus: redis.Redis, group: str, entry: Entry) -> int:
    found: Any = bus.xpending_range(entry.stream, group, entry.id, entry.id, 1)
    return found[0]["times_delivered"] if found else 1


def ack(bus: redis.Redis, group: str, done: Iterable[Entry]) -> None:
    by_stream: dict[str, list[str]] = {}
    for entry in done:
        by_stream.setdefault(entry.stream, []).append(entry.id)
    with bus.pipeline(transaction=False) as pipe:
        for stream, ids in by_stream.items():
            pipe.xack(stream, group, *ids)
        pipe.execute()


def id_key(entry_id: str) -> tuple[int, int]:
    """Stream ids order as pairs of numbers, not as text."""
    ms, _, sequence = entry_id.partition("-")
    return int(ms), int(sequence or 0)
