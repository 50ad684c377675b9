"""One service that hangs is its own callers' trouble, and theirs for seconds only."""

import random
import statistics
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench.stack import Browser, Stack
from tests.faults.faults import frozen
from tests.promises import Figure

ANSWER_S = 8  # how long the gateway waits for an answer
MARGIN_S = 2
CLIENTS, PAUSE_S = 40, 4.0  # without places of its own it would take all threads in 3 s


class Caller(threading.Thread):
    """Somebody who asks for a page again and again, and how that went."""

    def __init__(self, browser: Browser, path: str, pause_s: float) -> None:
        super().__init__()
        self.browser, self.path, self.pause_s = browser, path, pause_s
        self.answers: list[tuple[float, int, float]] = []  # when it was asked, status, seconds
        self.stop = threading.Event()
        self.start()

    def run(self) -> None:
        self.stop.wait(random.uniform(0, self.pause_s))
        while not self.stop.wait(self.pause_s):
            began, status = time.monotonic(), 200
            try:
                self.browser.open(self.path)
            except urllib.error.HTTPError as error:
                status = error.code
            self.answers.append((began, status, time.monotonic() - began))

    def between(self, start: float, end: float) -> list[tuple[int, float]]:
        return [(status, took) for began, status, took in self.answers if start <= began < end]


@contextmanager
def calling(browser: Browser, path: str, pause_s: float, count: int) -> Iterator[list[Caller]]:
    callers = [Caller(browser, path, pause_s) for _ in range(count)]
    try:
        yield callers
    finally:
        for caller in callers:
            caller.stop.set()
        for caller in callers:
            caller.join()


def p95(callers: list[Caller], *periods: tuple[float, float]) -> float:
    took = [took for caller in callers for period in periods for _, took in caller.between(*period)]
    return statistics.quantiles(took, n=20)[-1]


@pytest.mark.promise(40)
def test_a_frozen_service_delays_nobody_elses_pages(
    stack: Stack, bob: Browser, fay: Browser, eventually: Callable, figure: Figure
) -> None:
    with (
        calling(bob, "/tasks", 0.02, 2) as readers,
        calling(fay, "/payout-runs", PAUSE_S, CLIENTS) as payers,
    ):
        began = time.monotonic()
        time.sleep(6)
        froze = time.monotonic()
        with frozen(stack, "accounting-web"):
            stood = time.monotonic()
            time.sleep(ANSWER_S + 6)
            thawed = time.monotonic()
        eventually(lambda: fay.get("/payout-runs"))
        time.sleep(6)
        ended = time.monotonic()

    before = p95(readers, (began, froze), (thawed + 1, ended))
    during = p95(readers, (stood, thawed))
    figure("tracker's p95, beside that before", during / before, "×")
    assert during <= 1.5 * before
    assert {status for reader in readers for _, status, _ in reader.answers} == {200}
    asked = [each for payer in payers for each in payer.between(stood, thawed)]
    assert max(took for _, took in asked) < ANSWER_S + MARGIN_S
    assert {status for status, _ in asked} <= {200, 503, 504}
    # Who asked shortly before it woke may have been answered by it then.
    answers = [answer for payer in payers for answer in payer.answers]
    assert {
        status for began, status, took in answers if began >= stood and began + took < thawed
    } == {503, 504}
    late = [each for payer in payers for each in payer.between(stood + ANSWER_S + 2, thawed)]
    assert max(took for _, took in late) < MARGIN_S
