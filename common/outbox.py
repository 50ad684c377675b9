"""The fact is committed with the change it tells of; the relay publishes it later."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from common import log
from common.db import Server
from common.events.base import Event

# The envelope is put together by the database, so that facts made there by the million take the
# same way as a single one made in Python.
ENVELOPE = """
    json_build_object(
        'specversion', '1.0', 'id', id, 'source', '/' || {source}, 'type', {type},
        'time', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'subject', {subject}, 'dataschema', {schema}, 'traceparent', {trace}, 'data', {data}
    )::text
"""

# NOTIFY makes commits wait for each other, in all databases of the server: only a relay that sleeps
# is woken.
WAKE = """
    SELECT pg_notify('outbox', '')
    WHERE NOT EXISTS (SELECT FROM stream_state WHERE awake_until > clock_timestamp())
"""
ADD = f"""
    WITH added AS (
    INSERT INTO outbox (id, type, envelope)
    SELECT id, type, {
    ENVELOPE.format(
        source="%s::text",
        type="type",
        subject="subject",
        schema="schema",
        trace="%s::text",
        data="data::json",
    )
}
    FROM (SELECT new_id() AS id, type, subject, schema, data
          FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
               WITH ORDINALITY AS fact (type, subject, schema, data, n) ORDER BY n) AS facts
    ) {WAKE}
"""


def telling(event: type[Event], source: str, facts: str) -> str:
    """The INSERT of one such event for each of `facts` (id, subject, data), rows of the query that
    it stands in; takes `trace`.
    """
    envelope = ENVELOPE.format(
        source=f"'{source}'",
        type=f"'{event.type}'",
        subject="subject",
        schema=f"'{event.schema}'",
        trace="%(trace)s::text",
        data="data",
    )
    return f"""
        INSERT INTO outbox (id, type, envelope)
        SELECT id, '{event.type}', {envelope} FROM {facts}
    """


def moment_text(moment: datetime) -> str:
    """ISO 8601 with Z, as events spell it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def first_id(moment: datetime) -> UUID:
    """Ids begin with the time in milliseconds: no event made since `moment` has a lesser one."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


class Outbox:
    """The facts of one service."""

    def __init__(self, primary: Server, source: str) -> None:
        self.primary = primary
        self.source = source

    def add(self, *events: Event) -> None:
        """The events are published once the transaction around this has committed, never else."""
        self.add_all(events)

    def add_all(self, events: Iterable[Event]) -> None:
        facts = [
            (event.type, event.subject, event.schema, msgspec.json.encode(event).decode())
            for event in events
        ]
        if not facts:
            return
        if not self.primary.in_transaction():
            raise RuntimeError("a fact is added in the transaction of the change it tells of")
        columns = [list(column) for column in zip(*facts, strict=True)]
        self.primary.run(ADD, self.source, log.trace.get(), *columns)

    def notify(self) -> None:
        """A hint for the relay, delivered at commit; its poll is the rule."""
        self.primary.execute_sql(WAKE)
