"""RQ entry points: a wake-up looks for what is due in rows, and does nothing the second time."""

import logging

from common import chance, clock, loop
from common.db import deadline
from common.errors import Conflict
from tracker import runs
from tracker.models import store
from tracker.pace import Pace

log = logging.getLogger("tracker")

STATEMENT_S = 120


def tick() -> None:
    """Every run that was due is over, or one of them is paused and the others wait."""
    pace = Pace(store)
    with deadline(STATEMENT_S):
        runs.request_departures(now=clock.now(), seed=chance.new_seed)
        try:
            while not loop.job.is_set() and runs.step(now=clock.now()):
                pace.rest()
        except Conflict as error:
            log.warning("a departure waits: %s", error)
