"""A service's two servers: a primary for writing, a replica for reading, and how old that is."""

import time
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from common.db import LOOK_S, LOST, Row, Server
from common.deadline import deadline
from common.errors import Away


@dataclass(frozen=True)
class Reading:
    """A database to read from and how old what it shows is."""

    db: Server
    as_of: datetime
    lag_s: float

    @property
    def age(self) -> Row:
        return {"as_of": self.as_of, "lag_s": self.lag_s}


# A standby that has replayed all it received from a living sender is up to date, however long ago
# the last transaction was; otherwise the last replayed commit says how old it is.
AGE = """
    SELECT now() AS moment,
           CASE WHEN NOT pg_is_in_recovery() THEN now()
                WHEN pg_last_wal_replay_lsn() = pg_last_wal_receive_lsn()
                     AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN now()
                ELSE coalesce(pg_last_xact_replay_timestamp(), now()) END AS as_of,
           CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() >= %s::pg_lsn
                ELSE true END AS caught_up
"""
NO_LSN = "0/0"
WAIT_S = 0.3


def look(server: Server, after: str = NO_LSN) -> tuple[Reading, bool]:
    """The server as a Reading, and whether it has replayed up to `after`."""
    with deadline(LOOK_S):
        found = server.row(AGE, after)
    assert found is not None
    lag_s = (found["moment"] - found["as_of"]).total_seconds()
    return Reading(server, found["as_of"], round(max(0.0, lag_s), 3)), found["caught_up"]


def apart(url: str) -> tuple[str, str]:
    """The URL of the first host, and that of the others or, without any, of the same again.

    libpq waits for the first one as long as it hangs, so it would never come to the second.
    """
    parts = urlsplit(url)
    who, at, hosts = parts.netloc.rpartition("@")
    first, _, others = hosts.partition(",")
    standby, primary = (
        parts._replace(netloc=who + at + each).geturl() for each in (first, others or first)
    )
    return standby, primary


class Store:
    """A service's two servers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.primary = Server(None)
        self.replica = Server(None)

    def open(self, primary_url: str, replica_url: str) -> None:
        self.primary.open(primary_url)
        self.replica.open(replica_url)

    def reading(self, after: str = NO_LSN) -> Reading:
        """The replica once it shows `after` (waited for up to 300 ms), else the primary, else a
        replica that is behind.  Raises Away if neither answers.
        """
        behind = None
        end = time.monotonic() + WAIT_S
        try:
            behind, caught_up = look(self.replica, after)
            while not caught_up and time.monotonic() < end:
                time.sleep(0.01)
                behind, caught_up = look(self.replica, after)
            if caught_up:
                return behind
        except LOST:
            self.replica.close_quietly()
        try:
            return look(self.primary)[0]
        except LOST as error:
            self.primary.close_quietly()
            if behind is None:
                raise Away(
                    "The %(name)s database does not answer; please try again.", name=self.name
                ) from error
            return behind

    def close(self) -> None:
        """Drop this thread's connections, in a child after fork or at the end of a thread."""
        self.primary.close_quietly()
        self.replica.close_quietly()
