"""Every event's effect happens once, however often it arrives."""

import traceback
from collections.abc import Sequence

from common.db import Server
from common.events.base import Envelope
from common.stream import Entry


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
        """The entry is kept with its error, once, for a person to redrive or discard."""
        self.primary.run(
            "INSERT INTO dead_letter (stream, entry_id, event, error, trace, deliveries)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (stream, entry_id) DO NOTHING",
            entry.stream,
            entry.id,
            entry.text.replace("\x00", "\\u0000"),
            f"{type(error).__name__}: {error}".replace("\x00", "\\u0000"),
            "".join(traceback.format_exception(error)).replace("\x00", "\\u0000"),
            deliveries,
        )
