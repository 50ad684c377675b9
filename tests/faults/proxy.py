"""A TCP proxy in front of Redis or PostgreSQL that cuts where a broken network would."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

# Nothing was there, or no answer yet: what a transaction does comes with its EXEC.
NOTHING = (b"*-1\r\n", b"$-1\r\n", b"_\r\n", b"+QUEUED\r\n")
# PostgreSQL's simple queries: a letter, the length from here on, the text, a zero.
BEGIN, COMMIT = b"Q\0\0\0\x0aBEGIN\0", b"Q\0\0\0\x0bCOMMIT\0"


class Proxy:
    """Forwards to the server of `url`, which is afterwards the way through here."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        login, _, hosts = parts.netloc.rpartition("@")
        host, _, port = hosts.split(",")[0].partition(":")  # of several the first
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = parts._replace(netloc=f"{login}@127.0.0.1:{self.port}").geturl()
        self.is_postgres = parts.scheme == "postgresql"
        self.is_unlucky: Callable[[bytes], bool] | None = None
        self.is_unheard = False
        self.is_dropped = threading.Event()

    def drop_reply(self, command: str) -> None:
        """The next reply to `command` that says anything is lost, and its connection with it."""
        pattern = b"\r\n%s\r\n" % command.encode()
        self.arm(lambda said: pattern in said, is_unheard=False)

    def cut_commit(self, of: str, *, is_done: bool) -> None:
        """The next transaction with `of` in a statement ends in a cut connection: its COMMIT was
        done and the reply lost, or else it never came to the server.
        """
        pattern = of.encode()
        self.arm(lambda said: said.endswith(COMMIT) and pattern in said, is_unheard=not is_done)

    def arm(self, is_unlucky: Callable[[bytes], bool], *, is_unheard: bool) -> None:
        self.is_dropped.clear()
        self.is_unheard = is_unheard
        self.is_unlucky = is_unlucky

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self.target) as server:
            said = b""
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(1 << 20)
                    if not data:
                        return
                    if source is client:
                        said = said + data if self.is_postgres and data != BEGIN else data
                        if self.is_unheard and self.cuts(said):
                            return
                        server.sendall(data)
                    elif not data.endswith(NOTHING) and self.cuts(said):
                        return
                    else:
                        client.sendall(data)

    def cuts(self, said: bytes) -> bool:
        """Whether it is now, for the first and only time."""
        if self.is_unlucky is None or not self.is_unlucky(said):
            return False
        self.is_unlucky = None
        self.is_dropped.set()
        return True


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
