"""Load at a fixed rate, whatever the answers: a slow one delays no other, and waiting counts."""

import http.client
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from bench.stack import Browser

HANDS = 24


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass
class Latencies:
    """Seconds from when each request was due until its answer was read, by name."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def every(self) -> list[float]:
        return [each for values in self.seconds.values() for each in values]

    def p95_ms(self, name: str | None = None) -> float:
        return 1000 * percentile(self.seconds[name] if name else self.every, 0.95)


class Visitor:
    """Somebody signed in who keeps one connection a thread."""

    def __init__(self, address: str, cookies: str) -> None:
        self.address = address
        self.headers = {"Accept": "text/html", "Cookie": cookies}
        self.kept = threading.local()

    def opens(self, path: str) -> Callable[[], bool]:
        """To be called: whether the page was there."""
        return lambda: self.get(path) == 200

    def get(self, path: str) -> int:
        """The status, when the whole page is here."""
        for _ in range(2):
            connection = getattr(self.kept, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection(self.address, timeout=60)
                self.kept.connection = connection
            try:
                connection.request("GET", quote(path, safe="/?=&+%-"), headers=self.headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status
            except (http.client.HTTPException, OSError):  # a kept connection that was hung up
                connection.close()
                self.kept.connection = None
        return 0


def at_rate(
    rate: float, works: Sequence[tuple[str, Callable[[], bool]]], stop: Callable[[int], bool]
) -> Latencies:
    """Each of `works` by turns, `rate` a second in all, until `stop(how many were begun)`."""
    found = Latencies({name: [] for name, _ in works})
    began = time.monotonic()

    def do(name: str, work: Callable[[], bool], due: float) -> None:
        is_good = work()
        found.seconds[name].append(time.monotonic() - due)
        if not is_good:
            found.failures.append(name)

    with ThreadPoolExecutor(HANDS) as hands:
        number = 0
        while not stop(number):
            due = began + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            hands.submit(do, *works[number % len(works)], due)
            number += 1
    return found


def as_whom(browser: Browser) -> tuple[str, str]:
    """Where this person is signed in, and the cookies that say so."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies)
    return urlsplit(browser.url).netloc, cookies


@contextmanager
def meanwhile(rate: float, works: Sequence[tuple[str, Callable[[], bool]]]) -> Iterator[Latencies]:
    """The load goes on while the block runs; its latencies are complete behind it."""
    is_over = threading.Event()
    found = Latencies()

    def run() -> None:
        measured = at_rate(rate, works, lambda _: is_over.is_set())
        found.seconds, found.failures = measured.seconds, measured.failures

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()
