"""A standby that has fallen behind is given time: pages should not grow old for a long run."""

import time

from common.db import LOST
from common.store import Store, look

BEHIND_S = 2.0
REST_MAX_S = 1.0
LOOK_AGAIN_S = 0.05
GONE_S = 10.0


class Pace:
    """Between two batches of a long run."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.gone_until = 0.0

    def rest(self) -> None:
        """Returns at once while the standby keeps up or is gone, else when it has caught up, at
        the latest after a second: the run gets slow but not stuck.
        """
        end = time.monotonic() + REST_MAX_S
        while self.is_behind() and time.monotonic() < end:
            time.sleep(LOOK_AGAIN_S)

    def is_behind(self) -> bool:
        if time.monotonic() < self.gone_until:
            return False
        try:
            return look(self.store.replica)[0].lag_s > BEHIND_S
        except LOST:
            # A hung one takes two seconds to ask: not before every batch.
            self.store.replica.close_quietly()
            self.gone_until = time.monotonic() + GONE_S
            return False
