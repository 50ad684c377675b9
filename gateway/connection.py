"""A connection to a service, kept from one request to the next."""

import http.client
import select
import socket
import time
from typing import IO
from urllib.parse import urlsplit

IDLE_S = 60.0  # the services keep theirs for 75 s
CHUNK = 65_536
BROKEN = (BrokenPipeError, ConnectionResetError)

Headers = list[tuple[str, str]]


class Unsent(Exception):
    """The connection broke before the service can have had the whole request."""


class Connection(http.client.HTTPConnection):
    """A connection to a host and port, or to a unix socket."""

    def __init__(self, url: str, connect_s: float, read_s: float) -> None:
        self.path = url.removeprefix("unix:") if url.startswith("unix:") else None
        super().__init__("service" if self.path else urlsplit(url).netloc, timeout=connect_s)
        self.connect_s, self.read_s = connect_s, read_s
        self.kept_at = 0.0

    def connect(self) -> None:
        if self.path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.connect_s)
            self.sock.connect(self.path)
        else:
            super().connect()
        self.sock.settimeout(self.read_s)

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
        try:
            self.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                self.putheader(name, value)
            self.endheaders(body if isinstance(body, bytes) else None)
        except BROKEN as error:
            raise Unsent from error
        if body is not None and not isinstance(body, bytes):
            self.send_upload(body)

    def send_upload(self, body: IO[bytes]) -> None:
        while chunk := body.read(CHUNK):
            try:
                self.send(chunk)
            except BROKEN:  # the service has heard enough; its answer says why
                return
