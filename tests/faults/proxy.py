"""A TCP proxy in front of Redis that can lose the reply to a command, as a broken network would."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NOTHING = (b"*-1\r\n", b"$-1\r\n", b"_\r\n")


class Proxy:
    """Forwards to `host:port`; `url` is where it listens."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}/0"
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
def proxy(host: str, port: int) -> Iterator[Proxy]:
    """A proxy at work."""
    made = Proxy(host, port)
    threading.Thread(target=made.accept, daemon=True).start()
    try:
        yield made
    finally:
        # On Linux closing alone would not wake who waits in accept().
        with suppress(OSError):
            made.listener.shutdown(socket.SHUT_RDWR)
        made.listener.close()
