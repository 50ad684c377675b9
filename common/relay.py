"""Outbox to stream: at least once, in no promised order, by the state of each row."""

import logging
import select
import time

import redis

from common import stream as streams
from common.db import LOST, Server
from common.loop import Stop

log = logging.getLogger("relay")

BATCH = 1000
POLL_S = 0.5
PAUSE_S = 1.0

TAKE = """
    SELECT id, envelope FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT %s
"""
MARK = """
    UPDATE outbox SET published_at = now(), entry_id = entry
    FROM unnest(%s::uuid[], %s::text[]) AS done (event_id, entry) WHERE id = event_id
"""
REMEMBER = """
    INSERT INTO stream_state (stream, last_entry_id, entry_count) VALUES (%s, %s, %s)
    ON CONFLICT (stream) DO UPDATE SET
        last_entry_id = excluded.last_entry_id, entry_count = excluded.entry_count
"""


class Relay:
    """The only writer of its service's stream.  A second one stands by."""

    def __init__(self, service: str, primary: Server, bus: redis.Redis) -> None:
        self.stream = streams.name_of(service)
        self.primary = primary
        self.bus = bus

    def run_once(self) -> int:
        """Publishes one batch; returns how many, 0 if there was nothing or another relay is at it.

        Publish before marking: a crash in between publishes twice, never not at all, and the inbox
        forgives twice.
        """
        with self.primary.atomic():
            if not self.primary.value("SELECT pg_try_advisory_xact_lock(hashtext('relay'))"):
                return 0
            self.heal()
            rows = self.primary.rows(TAKE, BATCH)
            if not rows:
                return 0
            entry_ids = streams.publish(self.bus, self.stream, [row["envelope"] for row in rows])
            self.primary.run(MARK, [str(row["id"]) for row in rows], entry_ids)
            self.primary.run(REMEMBER, self.stream, *streams.extent(self.bus, self.stream))
        return len(rows)

    def heal(self) -> None:
        """A stream that holds less than it was given lost entries: everything kept goes again."""
        known = self.primary.row("SELECT * FROM stream_state WHERE stream = %s", self.stream)
        if known is None:
            return
        last_id, count = streams.extent(self.bus, self.stream)
        is_short = count < known["entry_count"] or (
            streams.id_key(last_id) < streams.id_key(known["last_entry_id"])
        )
        if is_short:
            again = self.primary.run(
                "UPDATE outbox SET published_at = NULL WHERE published_at IS NOT NULL"
            )
            self.primary.run("DELETE FROM stream_state WHERE stream = %s", self.stream)
            log.warning("%s lost entries; %d events are published again", self.stream, again)

    def run(self, stop: Stop) -> None:
        """Publishes until told to stop; what is away is waited for."""
        while not stop.is_set():
            try:
                self.primary.execute_sql("LISTEN outbox")
                while not stop.is_set():
                    if self.run_once() < BATCH:
                        self.wait()
            except (*LOST, redis.RedisError) as error:
                log.warning("%s: %s", self.stream, str(error).strip().splitlines()[0])
                self.primary.close_quietly()
                self.bus.connection_pool.disconnect()
                stop.wait(PAUSE_S)

    def wait(self) -> None:
        """Returns when a fact was added or half a second has passed."""
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


def backlog(primary: Server) -> tuple[int, float]:
    """How many events wait to be published, and the age of the oldest in seconds."""
    found = primary.row(
        "SELECT count(*) AS waiting, min(created_at) AS oldest FROM outbox"
        " WHERE published_at IS NULL"
    )
    assert found is not None
    oldest = found["oldest"]
    return found["waiting"], max(0.0, time.time() - oldest.timestamp()) if oldest else 0.0
