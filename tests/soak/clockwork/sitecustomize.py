"""In every Python process of a stack under soak: its clock is ahead by what a file says, so that
days pass in minutes.
"""

import os
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

with suppress(ImportError):
    from common import clock

    ahead = Path(os.environ["SOAK_CLOCK"])
    true_now = clock.now

    def now() -> datetime:
        return true_now() + timedelta(seconds=float(ahead.read_text()))

    clock.now = now
