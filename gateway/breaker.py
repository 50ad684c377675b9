"""Whether it is worth asking what did not answer lately."""

import time


class Breaker:
    """After `failures_max` in a row nobody asks for `away_s`; then one at a time finds out."""

    def __init__(self, failures_max: int, away_s: float) -> None:
        self.failures_max = failures_max
        self.away_s = away_s
        self.answered()

    def answered(self) -> None:
        """All is well."""
        self.failures = 0
        self.again_at = 0.0

    def failed(self) -> None:
        """Asked in vain."""
        self.failures += 1
        if self.is_open:
            self.again_at = time.monotonic() + self.away_s

    @property
    def is_open(self) -> bool:
        return self.failures >= self.failures_max

    def may_ask(self) -> bool:
        """Whether to try; the one who finds out keeps the others waiting meanwhile."""
        if self.is_open:
            moment = time.monotonic()
            if moment < self.again_at:
                return False
            self.again_at = moment + self.away_s
        return True
