"""A TCP proxy in front of Redis that can lose the reply to a command, as a broken network would."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

NOTHING = (b"*-1\r\n", b"$-1\r\n", b"_\r\n")


class Proxy:
    """Forwards to the server of `url`, which is afterwards the way through here."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (str(parts.hostname), int(parts.port or 6379))
        self.listener = socket.create_server(("127.0.0.1", 0))
        login = parts.netloc.rpartition("@")[0]
        port = self.listener.getsockname()[1]
        self.url = parts._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()
        self.unlucky: bytes | None = None
        self.is_dropped = threading.Event()

    def drop_reply(self, command: str) -> None:
        """The next reply to `command` that says anything is lost, and its connection with it."""
        self.is_dropped.clear()
        self.unlucky = b"\r\n%s\r\n" % command.encode()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self.target) as server:
            is_watched = False
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(1 << 20)
                    if not data:
                        return
                    if source is client:
                        is_watched = self.unlucky is not None and self.unlucky in data
                        server.sendall(data)
                    elif is_watched and self.unlucky and data not in NOTHING:
                        self.unlucky = None
                        self.is_dropped.set()
                        return
                    else:
                        client.sendall(data)


@contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """A proxy at work."""
    made = Proxy(url)
    threading.Thread(target=made.accept, daemon=True).start()
    try:
        yield made
    finally:
        # On Linux closing alone would not wake who waits in accept().
        with suppress(OSError):
            made.listener.shutdown(socket.SHUT_RDWR)
        made.listener.close()
