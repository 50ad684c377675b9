"""A service's web as the gateway sees it: kept connections, deadlines, one careful retry, and no
more of its threads than a share.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import IO, Any

from common.db import release
from common.errors import Away, Refused
from gateway.breaker import Breaker
from gateway.connection import CHUNK, Answer, BadAnswer, Connection, Headers, Unsent

CONNECT_S = 2.0
ANSWER_S = 8.0  # a statement of theirs has 5 s
LOOK_S = 1.0
PLACE_S = 1.0
SAFE = ("GET", "HEAD")
BAD = (OSError, BadAnswer)
OK = 200

PARTS = {
    "tracker": "The part that keeps the tasks",
    "accounting": "The part that moves the money",
    "analytics": "The part that makes the reports",
    "mailer": "The part that sends the mail",
}


class Garbled(Refused):
    """The service broke off, or answered what is no HTTP."""

    status = 502


class Slow(Refused):
    """The service took the request and did not answer in time."""

    status = 504


class Body:
    """The rest of an answer, chunk by chunk; whole, its connection is kept for the next one."""

    def __init__(self, upstream: "Upstream", link: Connection, answer: Answer) -> None:
        self.upstream = upstream
        self.link: Connection | None = link
        self.answer = answer

    def __iter__(self) -> Iterator[bytes]:
        while True:
            if chunk := self.answer.taken():
                yield chunk
            if self.answer.is_whole:
                break
            try:
                self.answer.hear()
            except BAD as error:
                # The status has been sent; only a broken connection can tell the client.
                raise ConnectionError(f"{self.upstream.service} broke off its answer") from error
        if self.link:
            self.upstream.keep(self.link, self.answer)
            self.link = None

    def close(self) -> None:
        if self.link:
            self.link.close()


class Upstream:
    """One service.  It holds no more than `places` threads of this process while it answers, and
    for a moment only once it has stopped answering; the others are for its neighbours.
    """

    def __init__(self, service: str, url: str, places: int, answer_s: float = ANSWER_S) -> None:
        self.service = service
        self.url = url
        self.answer_s = answer_s
        self.idle: deque[Connection] = deque()
        self.places = BoundedSemaphore(places)
        self.breaker = Breaker(failures_max=3, away_s=2.0)

    def kept(self) -> Connection | None:
        """The connection used last, if one is still good."""
        while self.idle:
            try:
                link = self.idle.pop()
            except IndexError:  # another thread took it
                break
            if link.is_usable():
                return link
            link.close()
        return None

    def keep(self, link: Connection, answer: Answer) -> None:
        if answer.is_kept:
            link.kept_at = time.monotonic()
            self.idle.append(link)
        else:
            link.close()

    def ask(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | IO[bytes] | None,
        meanwhile: Callable[[], None] = release,
    ) -> tuple[Answer, list[bytes] | Body]:
        """The service's answer and its body.  Sent again only if the first cannot have been taken,
        or asking twice is harmless.  `meanwhile` is done while the service works; what it raises
        makes an end of it.  Raises Away, Garbled, Slow.
        """
        with self.place():
            if (body is None or isinstance(body, bytes)) and (link := self.kept()):
                try:
                    return self.exchange(link, meanwhile, method, target, headers, body)
                except Unsent:
                    pass
                except Garbled:
                    if method not in SAFE:
                        raise
            try:
                return self.exchange(self.fresh(), meanwhile, method, target, headers, body)
            except Unsent as error:
                raise self.away() from error

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the places is ours.  Raises Away if none is free soon, at once if the service is
        known to hang.
        """
        if self.breaker.is_open:
            self.find_out()
        if not self.places.acquire(timeout=PLACE_S):
            self.breaker.failed()
            raise self.away("busy")
        try:
            yield
            self.breaker.answered()
        except Slow:
            self.breaker.failed()
            raise
        finally:
            self.places.release()

    def find_out(self) -> None:
        """The service lives again.  Raises Away if not; nobody's form is what it is tried with."""
        try:
            if self.breaker.may_ask() and self.look("/healthz")[0] == OK:
                return self.breaker.answered()
        except BAD as error:
            raise self.away() from error
        raise self.away()

    def look(self, path: str) -> tuple[int, bytes]:
        """The status and text of an answer that takes no time.  Raises one of BAD."""
        link = Connection(self.url, LOOK_S, LOOK_S)
        try:
            link.connect()
            link.send_request("GET", path, [], None)
            answer = link.answer("GET")
            return answer.status, answer.read()
        except Unsent as error:
            raise BadAnswer("the service hung up") from error
        finally:
            link.close()

    def fresh(self) -> Connection:
        link = Connection(self.url, CONNECT_S, self.answer_s)
        try:
            link.connect()
        except OSError as error:
            link.close()
            if isinstance(error, TimeoutError):
                self.breaker.failed()
            raise self.away() from error
        return link

    def exchange(
        self, link: Connection, meanwhile: Callable[[], None], method: str, *request: Any
    ) -> tuple[Answer, list[bytes] | Body]:
        try:
            link.send_request(method, *request)
            meanwhile()
            return self.take(link, link.answer(method))
        except BaseException as error:
            link.close()
            if isinstance(error, TimeoutError):
                raise Slow(f"{self.name} takes too long to answer.{doubt(method)}") from error
            if isinstance(error, BAD):
                raise Garbled(f"{self.name} broke off its answer.{doubt(method)}") from error
            raise

    def take(self, link: Connection, answer: Answer) -> tuple[Answer, list[bytes] | Body]:
        """A small body is taken at once, so that the connection is free for the next request."""
        if answer.length is None or answer.length > CHUNK:
            return answer, Body(self, link, answer)
        content = answer.read()
        self.keep(link, answer)
        return answer, [content]

    def away(self, how: str = "away") -> Away:
        return Away(f"{self.name} is {how} just now; please try again in a moment.")

    @property
    def name(self) -> str:
        return PARTS[self.service]


def doubt(method: str) -> str:
    """Whoever changed something must know that it may have happened."""
    if method in SAFE:
        return " Please try again."
    return " What you asked for may have been done; please look before you try again."
