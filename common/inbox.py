"""Every event's effect happens once, however often it arrives."""

import traceback
from collections.abc import Sequence
from datetime import datetime

from common.db import Server
from common.events.base import Envelope
from common.outbox import first_id
from common.stream import Entry

EVENT_CHARS_MAX = 1_000_000
CUT_CHARS = 10_000

FORGET = """
    DELETE FROM inbox WHERE event_id IN (
        SELECT event_id FROM inbox WHERE event_id < %s AND handled_at < %s
        ORDER BY event_id LIMIT %s)
"""


class Inbox:
    """The events this service has handled, and those it could not."""

    def __init__(self, primary: Server) -> None:
        self.primary = primary

    def first_times(self, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Those never handled before, now marked as handled in the transaction around this."""
        seen = self.primary.rows(
            "INSERT INTO inbox (event_id) SELECT DISTINCT unnest(%s::uuid[])"
            " ORDER BY 1 ON CONFLICT DO NOTHING RETURNING event_id",
            [str(envelope.id) for envelope in envelopes],
        )
        new = {row["event_id"]: True for row in seen}
        return [envelope for envelope in envelopes if new.pop(envelope.id, False)]

    def bury(self, entry: Entry, error: BaseException, deliveries: int) -> None:
        """The entry is kept with its error, once, for a person to redrive or discard; of one that
        is too large to be an event, the beginning.
        """
        text = entry.text[: CUT_CHARS if len(entry.text) > EVENT_CHARS_MAX else None]
        self.primary.run(
            "INSERT INTO dead_letter (stream, entry_id, event, error, trace, deliveries)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (stream, entry_id) DO NOTHING",
            entry.stream,
            entry.id,
            text.replace("\x00", "\\u0000"),
            f"{type(error).__name__}: {error}".replace("\x00", "\\u0000"),
            "".join(traceback.format_exception(error)).replace("\x00", "\\u0000"),
            deliveries,
        )

    def forget(self, before: datetime, limit: int) -> int:
        """Up to `limit` events made and handled before then are not known any more; how many."""
        return self.primary.run(FORGET, first_id(before), before, limit)
