"""Stream to handlers: effects and inbox rows in one transaction, the acknowledgement after it."""

import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import redis

from common import clock, figures
from common import log as logs
from common import stream as streams
from common.db import LOST, Server
from common.events.base import Envelope, Event, Unreadable
from common.inbox import EVENT_CHARS_MAX, Inbox
from common.loop import Stop
from common.stream import Entry

log = logging.getLogger("consume")

Handlers = Mapping[type[Event], Callable[[Sequence[Any]], None]]

BATCH = 500
BATCH_CHARS = 2_000_000
BLOCK_MS = 1000
CLAIM_IDLE_MS = 10_000
RECOVER_S = 2.0
DELIVERIES_MAX = 3
PAUSE_S = 0.5
TIDY_S = 10.0
FORGET_MAX = 5000


def by_kind(handlers: Handlers, envelopes: Sequence[Envelope]) -> Iterator[tuple[Any, list[Event]]]:
    """The events grouped by class, classes in the order of the table of handlers."""
    events = [envelope.event() for envelope in envelopes]
    for kind, handler in handlers.items():
        if matching := [event for event in events if type(event) is kind]:
            yield handler, matching


def portions(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The entries in lists small enough for one short transaction each: of facts that come by the
    thousand, a few; of single ones, all.
    """
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and size + len(entry.text) > BATCH_CHARS:
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry.text)
    if part:
        yield part


def read_envelope(text: str) -> Envelope:
    """Raises Unreadable if it is none, or larger than events are."""
    if len(text) > EVENT_CHARS_MAX:
        raise Unreadable(f"{len(text)} characters; an event has {EVENT_CHARS_MAX} at most")
    return Envelope.read(text)


def made_at(entry: Entry | None) -> datetime | None:
    """When the event was said; None if that is not known."""
    try:
        made = read_envelope(entry.text).time if entry else None
    except Unreadable:
        return None
    return made if made and made.tzinfo else None


@contextmanager
def following(envelopes: Sequence[Envelope]) -> Iterator[None]:
    """What is logged and said meanwhile is of the trace which all the events have, if they do."""
    traces = {envelope.traceparent for envelope in envelopes}
    token = logs.trace.set(traces.pop() if len(traces) == 1 else None)
    try:
        yield
    finally:
        logs.trace.reset(token)


def ids_of(envelopes: Sequence[Envelope]) -> dict[str, Any]:
    """What a log line has to say of them, so that each is found by its id or its trace's."""
    traces = {logs.trace_id(envelope.traceparent) for envelope in envelopes} - {""}
    ids = [str(envelope.id) for envelope in envelopes]
    return {"events": ids, "traces": sorted(traces) or None}


class Consumer:
    """One member of a service's consumer group."""

    retention = timedelta(days=3)

    def __init__(
        self,
        service: str,
        primary: Server,
        bus: redis.Redis | None,
        handlers: Handlers,
        producers: Sequence[str],
    ) -> None:
        self.group = service
        self.primary = primary
        self.bus: Any = bus
        self.handlers = handlers
        self.wanted = {kind.type for kind in handlers}
        self.streams = [streams.name_of(producer) for producer in producers]
        self.inbox = Inbox(primary)
        self.name = f"{socket.gethostname()}-{os.getpid()}"
        self.tidied = 0.0

    def handle(self, entries: Sequence[Entry]) -> None:
        """The effects of all entries are committed, each once; or none is, and it raises."""
        envelopes = [read_envelope(entry.text) for entry in entries]
        mine = [envelope for envelope in envelopes if envelope.type in self.wanted]
        if not mine:
            return
        began = time.perf_counter()
        with following(mine):
            with self.primary.atomic():
                new = self.inbox.first_times(mine)
                for handler, events in by_kind(self.handlers, new):
                    handler(events)
            self.tell(new, time.perf_counter() - began)

    def tell(self, handled: Sequence[Envelope], seconds: float) -> None:
        """The figures and the log have these events, committed just now."""
        if not handled:
            return
        figures.done().batches.labels(self.group).observe(seconds)
        for kind, count in Counter(envelope.type for envelope in handled).items():
            figures.done().handled.labels(self.group, kind).inc(count)
        if log.isEnabledFor(logging.INFO):
            log.info("%d handled", len(handled), extra=ids_of(handled))

    def take_all(self, entries: Sequence[Entry]) -> None:
        for part in portions(entries):
            self.take(part)

    def take(self, entries: Sequence[Entry]) -> None:
        """Handled and acknowledged.  A failing batch is taken entry by entry, so that only the
        entry that fails counts towards its burial.
        """
        error = self.failure(entries)
        if error is None:
            streams.ack(self.bus, self.group, entries)
        elif len(entries) == 1:
            self.refuse(entries[0], error)
        else:
            for entry in entries:
                self.take([entry])

    def failure(self, entries: Sequence[Entry]) -> Exception | None:
        try:
            self.handle(entries)
        except LOST:
            raise
        except Exception as error:
            return error
        return None

    def refuse(self, entry: Entry, error: Exception) -> None:
        """Left pending for another try; buried when it has had enough of them or cannot be read."""
        tries = streams.deliveries(self.bus, self.group, entry)
        figures.done().failed.labels(self.group).inc()
        log.error("%s %s failed (%d): %s", entry.stream, entry.id, tries, error, exc_info=error)
        if tries >= DELIVERIES_MAX or isinstance(error, Unreadable):
            self.inbox.bury(entry, error, tries)
            streams.ack(self.bus, self.group, [entry])

    def run_once(self, block_ms: int | None = None) -> int:
        """Handles one batch of new entries; returns how many."""
        entries = streams.read(
            self.bus, self.group, self.name, self.streams, BATCH, own=False, block_ms=block_ms
        )
        self.take_all(entries)
        return len(entries)

    def recover(self) -> None:
        """What this consumer left, then what dead ones left, has been tried again."""
        streams.ensure_groups(self.bus, self.streams, self.group)
        self.take_all(streams.read(self.bus, self.group, self.name, self.streams, BATCH, own=True))
        for stream in self.streams:
            left = streams.claim(self.bus, self.group, self.name, stream, CLAIM_IDLE_MS, BATCH)
            self.take_all(left)

    def tidy(self) -> int:
        """A batch of the oldest inbox rows is gone, of events that cannot come again; returns how
        many.  What a stream still holds may, and so may what its relay keeps from before.
        """
        oldest = [made_at(streams.first(self.bus, stream)) for stream in self.streams]
        known = [moment for moment in oldest if moment]
        if len(known) < len(oldest):
            return 0
        before = min([clock.now(), *known]) - 2 * self.retention
        return self.inbox.forget(before, FORGET_MAX)

    def tidy_sometimes(self) -> None:
        if time.monotonic() - self.tidied >= TIDY_S and self.tidy() < FORGET_MAX:
            self.tidied = time.monotonic()

    def run(self, stop: Stop) -> None:
        """Consumes until told to stop; what is away is waited for."""
        recovered = -RECOVER_S
        while not stop.is_set():
            try:
                if time.monotonic() - recovered >= RECOVER_S:
                    self.recover()
                    recovered = time.monotonic()
                if not self.run_once(BLOCK_MS):
                    self.tidy_sometimes()
            except (*LOST, redis.RedisError) as error:
                log.warning("%s: %s", self.group, str(error).strip().splitlines()[0])
                self.primary.close_quietly()
                self.bus.connection_pool.disconnect()
                recovered = -RECOVER_S
                stop.wait(PAUSE_S)

    def drain(self) -> int:
        """Handles all there is; returns how many entries.  For tests and one-off commands."""
        self.recover()
        total = 0
        while count := self.run_once():
            total += count
        return total
