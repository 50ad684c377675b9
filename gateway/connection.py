"""A connection to a service, kept from one request to the next."""

import re
import select
import socket
import time
from typing import IO
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

IDLE_S = 60.0  # the services keep theirs for 75 s
CHUNK = HEAD_MAX = 65_536
BROKEN = (BrokenPipeError, ConnectionResetError)
CONTROL = re.compile(r"[\0\r\n]")
INTERIM = range(100, 200)

Headers = list[tuple[str, str]]


class Unsent(Exception):
    """The connection broke before the service can have had the whole request."""


class BadAnswer(Exception):
    """What came is no HTTP, or ended too early."""


class Answer:
    """What a service says; once it is `is_begun` its status and headers are known."""

    def __init__(self, sock: socket.socket, method: str) -> None:
        self.sock = sock
        self.is_head = method == "HEAD"
        self.parser = HttpResponseParser(self)
        self.reason = ""
        self.headers: Headers = []
        self.parts: list[bytes] = []
        self.is_begun = self.is_whole = False

    def on_message_begin(self) -> None:
        if self.is_whole:
            raise BadAnswer("an answer nobody asked for")

    def on_status(self, reason: bytes) -> None:
        self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_begun:  # behind the last chunk
            return
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.status: int = self.parser.get_status_code()
        self.is_kept: bool = self.parser.should_keep_alive()
        self.is_begun = self.status not in INTERIM
        self.is_whole = self.is_begun and self.is_head

    def on_body(self, part: bytes) -> None:
        if self.is_head:
            raise BadAnswer("a body nobody asked for")
        self.parts.append(part)

    def on_message_complete(self) -> None:
        self.is_whole = self.is_begun
        if not self.is_begun:
            self.reason, self.headers = "", []

    @property
    def length(self) -> int | None:
        """Of the whole body, in bytes, if it was said."""
        if self.is_whole:
            return sum(map(len, self.parts))
        said = [value for name, value in self.headers if name.lower() == "content-length"]
        return int(said[0]) if said else None

    def hear(self) -> int:
        """More of it is here; returns how many bytes.  Raises BadAnswer, OSError."""
        piece = self.sock.recv(CHUNK)
        if not piece:
            raise BadAnswer("the service hung up")
        try:
            self.parser.feed_data(piece)
        except (HttpParserError, HttpParserUpgrade) as error:
            raise BadAnswer("this is no HTTP") from error
        return len(piece)

    def read(self) -> bytes:
        """The whole body.  Raises BadAnswer, OSError."""
        while not self.is_whole:
            self.hear()
        return self.taken()

    def taken(self) -> bytes:
        """What of the body has come since it was last asked for."""
        found, self.parts = b"".join(self.parts), []
        return found


class Connection:
    """A connection to a host and port, or to a unix socket."""

    def __init__(self, url: str, connect_s: float, read_s: float) -> None:
        self.path = url.removeprefix("unix:") if url.startswith("unix:") else None
        self.host = "service" if self.path else urlsplit(url).netloc
        self.connect_s, self.read_s = connect_s, read_s
        self.kept_at = 0.0
        self.sock: socket.socket

    def connect(self) -> None:
        """Raises OSError."""
        if self.path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.connect_s)
            self.sock.connect(self.path)
        else:
            at = urlsplit(f"//{self.host}")
            self.sock = socket.create_connection((at.hostname, at.port or 80), self.connect_s)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(self.read_s)

    def close(self) -> None:
        if sock := getattr(self, "sock", None):
            sock.close()

    def is_usable(self) -> bool:
        """An idle connection with something to read was closed by the other side."""
        if time.monotonic() - self.kept_at > IDLE_S:
            return False
        poller = select.poll()
        poller.register(self.sock, select.POLLIN)
        return not poller.poll(0)

    def send_request(
        self, method: str, target: str, headers: Headers, body: bytes | IO[bytes] | None
    ) -> None:
        """Raises Unsent."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if any(map(CONTROL.search, lines)):
            raise ValueError("a header of more than one line")
        head = "\r\n".join([*lines, "\r\n"]).encode("latin-1")
        try:
            self.sock.sendall(head + body if isinstance(body, bytes) else head)
        except BROKEN as error:
            raise Unsent from error
        if body is not None and not isinstance(body, bytes):
            self.send_upload(body)

    def send_upload(self, body: IO[bytes]) -> None:
        while chunk := body.read(CHUNK):
            try:
                self.sock.sendall(chunk)
            except BROKEN:  # the service has heard enough; its answer says why
                return

    def answer(self, method: str) -> Answer:
        """What the service says to a request of `method`, at least its head.  Raises BadAnswer,
        OSError.
        """
        answer = Answer(self.sock, method)
        heard = 0
        while not answer.is_begun:
            heard += answer.hear()
            if heard > HEAD_MAX and not answer.is_begun:
                raise BadAnswer("the head does not end")
        return answer
