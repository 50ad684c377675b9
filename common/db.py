"""PostgreSQL through peewee: a connection a thread, replaced when lost, and deadlines."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from peewee import InterfaceError, OperationalError, PostgresqlDatabase

from common.deadline import PASSED, allowed_s, deadline, wait

Row = dict[str, Any]

CONNECT_TIMEOUT_S = 2
LOOK_S = 2.0
AWAY_S = 1.0
SPARE_S = 60.0
LOST = (OperationalError, InterfaceError)
# Ended by an administrator, by a crash, or the socket was found closed: nothing was done.
STALE = ("57P01", "57P02", None)
SERIALIZATION_FAILURE, DEADLOCK = "40001", "40P01"

# Whether this request has sent a COMMIT: from then on nobody may say that nothing was changed.
may_have_changed: ContextVar[bool] = ContextVar("may_have_changed", default=False)

psycopg2.extensions.set_wait_callback(wait)
psycopg2.extras.register_uuid()


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-letter code behind a peewee error, None if the server never said one."""
    return getattr(error.__context__, "pgcode", None) or getattr(error.__cause__, "pgcode", None)


def is_hung(error: BaseException) -> bool:
    """The server took the statement and said nothing; asking again would take as long."""
    return PASSED in str(error)


def is_passing(error: BaseException) -> bool:
    """What was lost may well succeed if it is done again at once."""
    worth = (*STALE, SERIALIZATION_FAILURE, DEADLOCK)
    return sqlstate(error) in worth and not is_hung(error)


WRITING = ("INSERT", "UPDATE", "DELETE")
UNDER_WAY = (
    psycopg2.extensions.TRANSACTION_STATUS_ACTIVE,
    psycopg2.extensions.TRANSACTION_STATUS_INTRANS,
    psycopg2.extensions.TRANSACTION_STATUS_INERROR,
)


class Used(threading.local):
    """The servers for which this thread has had a connection."""

    def __init__(self) -> None:
        self.servers: set[Server] = set()


used = Used()


def release() -> None:
    """This thread is through with its work: the next one that needs a connection gets its."""
    while used.servers:
        used.servers.pop().release()


class Server(PostgresqlDatabase):
    """One connection a thread, kept until released; a lost one is replaced at the next transaction
    or read.
    """

    _state: Any  # peewee's own, a thread-local

    _adapter: Any  # peewee's own, psycopg2
    away_until = 0.0
    hosts: tuple[tuple[str, str], ...] = ()

    def __init__(self, url: str | None) -> None:
        super().__init__(url)
        self.spare: deque[tuple[float, Any]] = deque()  # since when, the last used at the end

    def open(self, url: str) -> None:
        """Say where the server is; nothing connects before the first statement."""
        self.close_quietly()
        self.away_until = 0.0
        self.init(
            url,
            connect_timeout=CONNECT_TIMEOUT_S,
            options="-c timezone=UTC -c lock_timeout=3s",
            keepalives_idle=10,
        )
        named = psycopg2.extensions.parse_dsn(url)
        hosts = named.get("host", "").split(",")
        ports = named.get("port", "5432").split(",")
        self.hosts = tuple(zip(hosts, ports * (len(hosts) // len(ports)), strict=True))

    def _connect(self) -> Any:
        # While one thread finds the server dead the others would queue behind it, two seconds each.
        if self.is_away:
            raise psycopg2.OperationalError("the server did not answer a moment ago")
        used.servers.add(self)
        with suppress(IndexError):
            return self.spare.pop()[1]
        refusal = None
        for host, port in self.hosts:
            try:
                return self._connect_to(host, port)
            except psycopg2.OperationalError as error:
                refusal = refusal or error
        self.away_until = time.monotonic() + AWAY_S
        assert refusal
        raise refusal

    def _connect_to(self, host: str, port: str) -> Any:
        # One host at a time: with a wait callback libpq keeps no time and never leaves a hung one.
        with deadline(CONNECT_TIMEOUT_S):
            connection = self._adapter.connect(self, host=host, port=port, **self.connect_params)
        connection.autocommit = True
        return connection

    @property
    def is_away(self) -> bool:
        return time.monotonic() < self.away_until

    def close_quietly(self) -> None:
        """Drop this thread's connection, whatever state it is in, and the spare ones, which may be
        lost as it is.
        """
        if connection := self.drop():
            connection.close()
        self.close_spare(0)

    def drop(self) -> Any:
        """This thread has no connection any more; returns what it had, open."""
        connection, self._state.transactions = self._state.conn, []
        self._state.reset()
        return connection

    def close_spare(self, unused_s: float) -> None:
        """Those that nobody has needed for so long are closed."""
        before = time.monotonic() - unused_s
        with suppress(IndexError):
            while self.spare[0][0] <= before:
                self.spare.popleft()[1].close()

    def release(self) -> None:
        """Another thread may have this one's connection if nothing was begun on it."""
        if self.is_under_way():
            self.close_quietly()
        elif (connection := self.drop()) and not connection.closed:
            self.spare.append((time.monotonic(), connection))
        self.close_spare(SPARE_S)

    def begin(self, *args: Any, **kwargs: Any) -> None:
        # BEGIN is the probe: nothing has been done yet, so a stale connection is simply replaced.
        try:
            with deadline(min(LOOK_S, allowed_s())):
                super().begin(*args, **kwargs)
        except LOST as error:
            self.close_quietly()
            if is_hung(error):
                raise
            super().begin(*args, **kwargs)

    def commit(self) -> Any:
        may_have_changed.set(True)
        return super().commit()

    def rollback(self) -> Any:
        # A lost connection has rolled back already; raising here would hide why it was lost.
        try:
            return super().rollback()
        except LOST:
            self.close_quietly()

    def is_under_way(self) -> bool:
        """Whether a transaction was begun, as the connection itself knows."""
        connection = self._state.conn
        return connection is not None and connection.get_transaction_status() in UNDER_WAY

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        if sql.lstrip().startswith(WRITING) and not self.is_under_way():
            # A change of one statement gets its BEGIN, too.
            with self.atomic():
                return super().execute_sql(sql, params)
        try:
            return super().execute_sql(sql, params)
        except LOST as error:
            # Outside a transaction a kept connection may have died long ago; what only reads is
            # simply asked again.
            is_stale = sqlstate(error) in STALE and not is_hung(error)
            if self.in_transaction() or not is_stale or not sql.lstrip().startswith("SELECT"):
                raise
            self.close_quietly()
            return super().execute_sql(sql, params)

    def rows(self, sql: str, *params: Any) -> list[Row]:
        """The result as dicts, in the order the server gave them."""
        cursor = self.execute_sql(sql, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, sql: str, *params: Any) -> Row | None:
        """The first row, None if there is none."""
        found = self.rows(sql, *params)
        return found[0] if found else None

    def value(self, sql: str, *params: Any) -> Any:
        """The first column of the first row, None if there is none."""
        found = self.execute_sql(sql, params).fetchone()
        return found[0] if found else None

    def run(self, sql: str, *params: Any) -> int:
        """How many rows the statement touched."""
        return self.execute_sql(sql, params).rowcount

    def stream(self, sql: str, *params: Any, size: int = 2000) -> Iterator[Row]:
        """Rows one by one through a server-side cursor: memory does not grow with the result."""
        with self.atomic():
            self.execute_sql(f"DECLARE stream NO SCROLL CURSOR FOR {sql}", params)
            while batch := self.rows(f"FETCH {size} FROM stream"):
                yield from batch
            self.execute_sql("CLOSE stream")
