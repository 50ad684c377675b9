"""One real stack for the tests that break it; each test mends what it broke."""

import time
import urllib.error
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.stack import Browser, Stack, running
from tests.faults.history import History, Truth


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in terminalreporter.getreports("skipped"):
        terminalreporter.write_line(f"{report.nodeid}: {report.longrepr[2]}", red=True, bold=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with running() as started:
        started.start()
        for email, role in (
            ("ann@example.com", "manager"),
            ("bob@example.com", "worker"),
            ("fay@example.com", "admin"),
        ):
            started.add_user(email, role)
        yield started


@pytest.fixture
def ann(stack: Stack, eventually: Callable[..., Any]) -> Browser:
    return eventually(lambda: Browser(stack.url, "ann@example.com"))


@pytest.fixture
def bob(stack: Stack, eventually: Callable[..., Any]) -> Browser:
    return eventually(lambda: Browser(stack.url, "bob@example.com"))


@pytest.fixture
def fay(stack: Stack, eventually: Callable[..., Any]) -> Browser:
    return eventually(lambda: Browser(stack.url, "fay@example.com"))


@pytest.fixture
def people(ann: Browser, bob: Browser, fay: Browser) -> dict[str, Browser]:
    return {"ann": ann, "bob": bob, "fay": fay}


@pytest.fixture
def truth(stack: Stack) -> Iterator[Truth]:
    made = Truth(stack)
    yield made
    made.close()


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """The first true answer of `ask`, waited for; being refused is no answer yet."""

    def wait(ask: Callable[[], Any], within_s: float = 30) -> Any:
        end, refusal = time.monotonic() + within_s, None
        while time.monotonic() < end:
            try:
                if answer := ask():
                    return answer
            except urllib.error.URLError as error:
                refusal = error
            time.sleep(0.1)
        raise AssertionError(f"not within {within_s} s; refused: {refusal}")

    return wait
