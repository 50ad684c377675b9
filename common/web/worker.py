"""gunicorn's threaded worker, but a thread is given only to a request that has arrived.

gthread waits in a thread for what a client may come to say, and in its event loop for clients to
hang up: a few dozen silent ones are enough to close the site.  Here the event loop gathers heads
and small bodies, and sees connections off; no thread waits for a client for long.
"""

import re
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import takewhile
from selectors import EVENT_READ
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from common.web import FORM_MAX

WAIT_S = 10.0  # for a head and a small body, for each piece of a large one, for hanging up
UPLOAD_S = 300.0  # for all of a large one, at most
BYTES_A_S = 16_384  # what a large one must come at on average
SEND_S = 30  # for a client to take a piece of an answer
HEAD_MAX = 65_536
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
FIRST_LINE = re.compile(rb"(\r\n)?[^\r\n]* HTTP/1\.[01]\r\n")
REFUSAL = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Heard(SocketUnreader):
    """What a client sent and, until `end`, still sends."""

    end = 0.0

    def chunk(self, size_hint: int | None = None) -> bytes:
        left_s = self.end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the client is too slow")
        self.sock.settimeout(min(left_s, WAIT_S))
        return bytes(super().chunk(size_hint))

    def add(self, piece: bytes) -> bytes:
        """All there is, this now at its end."""
        self.buf.seek(0, 2)
        self.buf.write(piece)
        return bytes(self.buf.getvalue())


class Client(TConn):
    """A connection; once it is leaving, what still comes is thrown away."""

    is_leaving = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.init()
        self.heard = self.parser.unreader = Heard(self.sock)
        limit = struct.pack("ll", SEND_S, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self.sock.setblocking(False)

    def receive(self) -> bytes | None:
        """What has come; nothing at its end, None if there is nothing yet."""
        try:
            return bytes(self.sock.recv(HEAD_MAX))
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def refuse(self, status: bytes) -> None:
        with suppress(OSError):
            self.sock.send(REFUSAL % status)


def has_arrived(data: bytes) -> bool:
    """Whether the head is there, and all of a small body, or it is plain that this is no request.
    What it means is for gunicorn to say.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return b"\n\n" in data or (b"\n" in data[2:] and not FIRST_LINE.match(data))
    length = announced(data)
    return length is None or length > FORM_MAX or len(data) >= end + 4 + length


def announced(data: bytes) -> int | None:
    """How long the body will be; None if there is none, or it does not say."""
    end = data.find(b"\r\n\r\n") + 2
    length = LENGTH.search(data, 0, end)
    return int(length[1]) if length and not CHUNKED.search(data, 0, end) else None


def patience_s(data: bytes) -> float:
    """How long the whole of the request is waited for in a thread."""
    length = announced(data)
    return UPLOAD_S if length is None else min(UPLOAD_S, WAIT_S + length / BYTES_A_S)


class Worker(ThreadWorker):
    """Every connection is in a thread, or among those pending, or kept alive between requests."""

    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        if self.nr_conns >= self.max_keepalived and self.keepalived_conns:
            # Who has been here for longest and says nothing makes room.
            self.keepalived_conns[0].timeout = 0.0
            self.murder_keepalived()
        self.nr_conns += 1
        self.gather(Client(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Client, client: socket.socket) -> None:
        if conn not in self.keepalived_conns:  # it has just made room for another
            return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self.gather(conn)

    def gather(self, conn: Client) -> None:
        """The next request gets a thread as soon as it is there."""
        conn.timeout = time.monotonic() + WAIT_S
        if go_on := self.heard_enough(conn):
            go_on(conn)
        else:
            self.pending_conns.append(conn)
            readable = partial(self.on_pending_socket_readable, conn)
            self.poller.register(conn.sock, EVENT_READ, readable)

    def on_pending_socket_readable(self, conn: Client, client: socket.socket) -> None:
        if go_on := self.heard_enough(conn):
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            go_on(conn)

    def heard_enough(self, conn: Client) -> Callable[[Client], None] | None:
        """What is next for this connection, None if more is to be heard of it first."""
        piece = conn.receive()
        if conn.is_leaving:
            return self.hang_up if piece == b"" else None
        data = conn.heard.add(piece or b"")
        if piece == b"" or has_arrived(data):
            return self.hand_over
        if len(data) > HEAD_MAX and b"\r\n\r\n" not in data:
            return self.refuse_long
        return None

    def hand_over(self, conn: Client) -> None:
        conn.heard.end = time.monotonic() + patience_s(conn.heard.add(b""))
        self.enqueue_req(conn)

    def refuse_long(self, conn: Client) -> None:
        conn.refuse(b"431 Request Header Fields Too Large")
        self.see_off(conn)

    def _keepalive_after(self, conn: Client, keepalive: bool) -> bool:
        conn.heard.end = 0.0  # the rest of a body nobody wanted is not waited for in a thread
        try:
            return keepalive and bool(conn.parser.finish_body())
        except ParseException:  # the answer was given
            return False

    def finish_request(self, conn: Client, fs: "Future[bool]") -> None:
        if fs.cancelled() or fs.exception() or not fs.result():
            self.see_off(conn)
        elif conn.heard.add(b""):
            conn.sock.setblocking(False)
            self.gather(conn)
        else:
            super().finish_request(conn, fs)

    def see_off(self, conn: Client) -> None:
        """Nothing more is said.  To close on a client that still sends would take the answer from
        it.
        """
        conn.is_leaving = True
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.hang_up(conn)
        else:
            self.gather(conn)

    def hang_up(self, conn: Client) -> None:
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        now = time.monotonic()
        for conn in takewhile(lambda each: each.timeout <= now, self.pending_conns):
            if conn.heard.add(b"") and not conn.is_leaving:
                conn.refuse(b"408 Request Timeout")
        super().murder_pending()

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
