"""How long a statement may take, kept on this side: a hung server keeps no time."""

import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions

DEADLINE_S = 5.0
PASSED = "the server did not answer before the deadline"

_deadline = threading.local()


def allowed_s() -> float:
    """How long a statement of this thread may take."""
    return getattr(_deadline, "seconds", DEADLINE_S)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Each statement of this thread may take `seconds` instead of the usual ones."""
    before = allowed_s()
    _deadline.seconds = seconds
    try:
        yield
    finally:
        _deadline.seconds = before


def wait(connection: Any) -> None:
    """psycopg2's wait callback.  Raises OperationalError when the time is up."""
    # A hung server answers neither statement_timeout nor TCP timeouts; only leaving poll() does.
    end = time.monotonic() + allowed_s()
    while True:
        state = connection.poll()
        if state == psycopg2.extensions.POLL_OK:
            return
        poller = select.poll()
        reading = state == psycopg2.extensions.POLL_READ
        poller.register(connection.fileno(), select.POLLIN if reading else select.POLLOUT)
        if not poller.poll(max(0.0, end - time.monotonic()) * 1000):
            raise psycopg2.OperationalError(PASSED)
