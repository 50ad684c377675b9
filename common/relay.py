"""Outbox to stream: at least once, in no promised order, by the state of each row."""

import logging
import select
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import redis

from common import clock, figures
from common import stream as streams
from common.db import LOST, Server, deadline
from common.loop import Stop
from common.outbox import WAKE, first_id
from common.retention import Sweeper

log = logging.getLogger("relay")

BATCH = 1000
BATCH_BYTES = 8_000_000
POLL_S = 0.5
PACE_S, PACE_MAX_S = 0.075, 0.1
AWAKE_S = 1.0
PAUSE_S = 1.0
TIDY_S = 10.0
RETENTION = timedelta(days=3)
HEAL_S = 600.0  # a million kept events take longer than other statements may

# The oldest ones, as many as one short round trip takes; a thousand of a thousand deals are 80 MB.
TAKE = """
    WITH oldest AS (
        SELECT id, octet_length(envelope) AS size FROM outbox
        WHERE published_at IS NULL ORDER BY id LIMIT %s
    ), taken AS (
        SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM oldest
    )
    SELECT id, envelope FROM taken JOIN outbox USING (id) WHERE before < %s ORDER BY id
"""
MARK = """
    UPDATE outbox SET published_at = now(), entry_id = entry
    FROM unnest(%s::uuid[], %s::text[]) AS done (event_id, entry) WHERE id = event_id
"""
REMEMBER = """
    INSERT INTO stream_state (stream, last_entry_id, entry_count, awake_until)
    VALUES (%s, %s, %s, clock_timestamp() + make_interval(secs => %s))
    ON CONFLICT (stream) DO UPDATE SET last_entry_id = excluded.last_entry_id,
        entry_count = excluded.entry_count, awake_until = excluded.awake_until
"""
WAITING = "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"
# A mark that a crash forgets is a fact published twice: its commit need not wait for the disk.
CHOSEN = """
    SELECT pg_try_advisory_xact_lock(hashtext('relay')),
           set_config('synchronous_commit', 'off', true)
"""

ACKNOWLEDGED = """
    UPDATE stream_state SET acknowledged = %s WHERE stream = %s
"""
# Only what every group has acknowledged: the rest is all there is if the bus is lost.
FORGET = """
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox
        WHERE id < %s AND published_at < %s
              AND string_to_array(entry_id, '-')::bigint[] < string_to_array(%s, '-')::bigint[]
        ORDER BY id LIMIT %s)
"""
AGAIN = """
    UPDATE outbox SET published_at = NULL
    WHERE published_at IS NOT NULL
          AND (string_to_array(entry_id, '-')::bigint[]
               < string_to_array(%s, '-')::bigint[]) IS NOT TRUE
"""
REPUBLISH = """
    UPDATE outbox SET published_at = NULL WHERE published_at >= %s
"""


class Relay:
    """The only writer of its service's stream.  A second one stands by."""

    def __init__(
        self,
        service: str,
        primary: Server,
        bus: redis.Redis,
        groups: Sequence[str],
        retention: timedelta = RETENTION,
    ) -> None:
        self.service = service
        self.stream = streams.name_of(service)
        self.primary = primary
        self.bus = bus
        self.groups = groups
        self.retention = retention
        self.sweeper: Sweeper | None = None
        self.tidied = 0.0
        self.awake_until = 0.0

    def run_once(self) -> int:
        """Publishes one batch; returns how many, 0 if there was nothing or another relay is at it.

        Publish before marking: a crash in between publishes twice, never not at all, and the inbox
        forgives twice.
        """
        with self.primary.atomic():
            if not self.is_chosen():
                return 0
            count = self.heal()
            rows = self.primary.rows(TAKE, BATCH, BATCH_BYTES)
            if not rows:
                return 0
            entry_ids = streams.publish(self.bus, self.stream, [row["envelope"] for row in rows])
            self.primary.run(MARK, [str(row["id"]) for row in rows], entry_ids)
            # What it was given, not what it shows now: it may have been lost and begun anew since.
            held = count + len(rows)
            self.primary.run(REMEMBER, self.stream, entry_ids[-1], held, AWAKE_S)
            self.awake_until = time.monotonic() + AWAKE_S + POLL_S
        figures.done().published.labels(self.service).inc(len(rows))
        return len(rows)

    def is_chosen(self) -> bool:
        """This relay is the only one at work until the transaction ends."""
        return bool(self.primary.value(CHOSEN))

    def heal(self) -> int:
        """A stream that holds less than it was given lost entries: what not every group has
        acknowledged goes again.  Returns how many entries the stream ever had.
        """
        known = self.primary.row("SELECT * FROM stream_state WHERE stream = %s", self.stream)
        last_id, count = streams.extent(self.bus, self.stream)
        if known and (
            count < known["entry_count"]
            or streams.id_key(last_id) < streams.id_key(known["last_entry_id"])
        ):
            with deadline(HEAL_S):
                again = self.primary.run(AGAIN, known["acknowledged"])
            self.primary.run("DELETE FROM stream_state WHERE stream = %s", self.stream)
            log.warning("%s lost entries; %d events are published again", self.stream, again)
        return count

    def tidy(self) -> int:
        """What every group has acknowledged is off the stream, and a batch of what is older than
        the retention off the outbox; returns how many that were.
        """
        with self.primary.atomic():
            if not self.is_chosen():
                return 0
            self.heal()
            mark = streams.acknowledged(self.bus, self.stream, self.groups)
            self.primary.run(ACKNOWLEDGED, mark, self.stream)
            cut = clock.now() - self.retention
            forgotten = self.primary.run(FORGET, first_id(cut), cut, mark, BATCH)
        if mark:
            streams.trim(self.bus, self.stream, mark)
        return forgotten

    def run(self, stop: Stop) -> None:
        """Publishes until told to stop; what is away is waited for."""
        while not stop.is_set():
            try:
                # Each time: a connection lost meanwhile was replaced by one that does not listen.
                self.primary.execute_sql("LISTEN outbox")
                began = time.monotonic()
                if self.run_once() < BATCH:
                    self.tidy_sometimes()
                    self.wait(stop, time.monotonic() - began)
            except (*LOST, redis.RedisError) as error:
                log.warning("%s: %s", self.stream, str(error).strip().splitlines()[0])
                self.primary.close_quietly()
                self.bus.connection_pool.disconnect()
                stop.wait(PAUSE_S)

    def tidy_sometimes(self) -> None:
        if time.monotonic() - self.tidied >= TIDY_S and self.tidy() < BATCH:
            self.tidied = time.monotonic()
        if self.sweeper:
            self.sweeper.sweep_sometimes()

    def wait(self, stop: Stop, took_s: float = 0.0) -> None:
        """Returns when a fact was added or half a second has passed.

        Right after publishing it looks by itself every 75 ms, and nobody needs to wake it: facts
        that come one by one go in batches, larger ones on a busy machine, and their commits need
        no NOTIFY.
        """
        pace_s = min(max(PACE_S, took_s), PACE_MAX_S)
        while time.monotonic() < self.awake_until:
            if stop.wait(pace_s) or self.primary.value(WAITING):
                return
        connection = self.primary.connection()
        if not connection.notifies:
            select.select([connection], [], [], POLL_S)
            connection.poll()
        connection.notifies.clear()

    def drain(self) -> int:
        """Publishes all there is; returns how many.  For tests and one-off commands."""
        total = 0
        while count := self.run_once():
            total += count
        return total


def republish(primary: Server, since: datetime, *, by: str) -> int:
    """What was published since then is published again soon; returns how many events."""
    with deadline(HEAL_S), primary.atomic():
        again = primary.run(REPUBLISH, since)
        primary.run(
            "INSERT INTO bus_log (done_by, what, detail) VALUES (%s, 'republished', %s)",
            by,
            f"{again} events since {since.isoformat()}",
        )
        primary.execute_sql(WAKE)
    return again


def backlog(primary: Server) -> tuple[int, float]:
    """How many events wait to be published, and the age of the oldest in seconds."""
    found = primary.row(
        "SELECT count(*) AS waiting, min(created_at) AS oldest FROM outbox"
        " WHERE published_at IS NULL"
    )
    assert found is not None
    oldest = found["oldest"]
    return found["waiting"], max(0.0, time.time() - oldest.timestamp()) if oldest else 0.0
