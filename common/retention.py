"""Rows that nobody needs any more leave, a batch at a time; each service says which, and its relay
sees to it.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from common import clock
from common.config import Config
from common.db import Server
from common.outbox import first_id

log = logging.getLogger("retention")

EVERY_S = 600.0
BATCH = 5000


class Kept(NamedTuple):
    """Rows of a table kept for so many days.  The SQL deletes up to `limit` of those older than
    `before`, or whose version 7 id is less than `before_id`.
    """

    table: str
    sql: str
    days: int
    setting: str = ""  # names other days
    days_min: int = 0

    def kept_days(self, settings: Config) -> int:
        wanted = settings.integer(self.setting, self.days) if self.setting else self.days
        return max(self.days_min, wanted)


FORM_RESULTS = Kept(
    "form_result",
    "DELETE FROM form_result WHERE (user_id, form_key) IN ("
    " SELECT user_id, form_key FROM form_result WHERE created_at < %(before)s"
    " LIMIT %(limit)s FOR UPDATE SKIP LOCKED)",
    days=30,
)


class Sweeper:
    """Sees to what one service keeps."""

    def __init__(self, primary: Server, kept: Sequence[Kept], settings: Config) -> None:
        self.primary = primary
        self.kept = (FORM_RESULTS, *kept)
        self.settings = settings
        self.swept = 0.0

    def sweep(self, now: datetime) -> int:
        """A batch of each is gone, of what is old enough; returns how many rows."""
        return sum(self.sweep_one(each, now) for each in self.kept)

    def sweep_one(self, kept: Kept, now: datetime) -> int:
        before = now - timedelta(days=kept.kept_days(self.settings))
        values = {"before": before, "before_id": first_id(before), "limit": BATCH}
        gone: int = self.primary.execute_sql(kept.sql, values).rowcount
        if gone:
            log.info("%d rows of %s are gone", gone, kept.table)
        return gone

    def sweep_sometimes(self) -> None:
        """Every ten minutes, and at once again while there is more."""
        if time.monotonic() - self.swept >= EVERY_S and self.sweep(clock.now()) < BATCH:
            self.swept = time.monotonic()
