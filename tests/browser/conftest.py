"""A whole demo stack of its own, started as `make run` starts it, and Chromium to look at it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from common.stack.state import free_ports

EXCHANGE = Path(sys.executable).with_name("exchange")
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PASSWORD = "a long enough pass phrase"
ROLES = {"Ann": "manager", "Bob": "worker", "Dan": "accountant", "Fay": "admin"}
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"}
DARK: dict[str, Any] = DESKTOP | {"color_scheme": "dark"}
LOOKS = {"desktop": DESKTOP, "phone": PHONE, "dark": DARK}
READY_S = 90


def chromium() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not chromium():
        sentence = "BROWSER TESTS WERE SKIPPED: no Chromium here (apt-get install chromium)"
        terminalreporter.write_line(sentence, red=True, bold=True)


@dataclass(frozen=True)
class Stack:
    """What runs, and where."""

    folder: Path
    port: int
    env: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def exchange(self, *words: str, typed: str = "") -> str:
        """What the command printed; it succeeded."""
        done = subprocess.run(
            [str(EXCHANGE), *words],
            input=typed,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def mails(self) -> list[Path]:
        inbox = json.loads(self.exchange("status", "--json"))["inbox"]
        return sorted(Path(inbox).glob("*.eml"))


@pytest.fixture(scope="session")
def stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A demo company at work, and the cast beside it."""
    folder = tmp_path_factory.mktemp("browser") / "state"
    env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    env |= {"EXCHANGE_STATE": str(folder), "EXCHANGE_DEMO": "1"}
    stack = Stack(folder, free_ports({"gateway": None})["gateway"], env)
    command = [str(EXCHANGE), "up", "--port", str(stack.port), "--state", str(folder)]
    with (folder.parent / "up.log").open("w+") as log:
        # Where EXCHANGE_STATE is set there must be a stack already.
        bare = {name: value for name, value in env.items() if name != "EXCHANGE_STATE"}
        launcher = subprocess.Popen(
            [*command, "--with-parent"], stdout=log, stderr=subprocess.STDOUT, env=bare
        )
        try:
            wait_until(lambda: f"at {stack.url}" in Path(log.name).read_text(), launcher, log.name)
            for name, role in ROLES.items():
                add = ("user", "add", f"{name.lower()}@example.com", "--name", name, "--role", role)
                stack.exchange(*add, "--password-stdin", typed=PASSWORD + "\n")
            yield stack
        finally:
            launcher.terminate()
            launcher.wait(timeout=40)


def wait_until(holds: Callable[[], bool], launcher: subprocess.Popen[bytes], log: str) -> None:
    end = time.monotonic() + READY_S
    while not holds():
        is_late = time.monotonic() > end or launcher.poll() is not None
        assert not is_late, "\n".join(Path(log).read_text().splitlines()[-20:])
        time.sleep(0.1)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if not path:
        if os.environ.get("EXCHANGE_REQUIRE_BROWSER") == "1":
            pytest.fail("EXCHANGE_REQUIRE_BROWSER=1 and there is no Chromium.")
        pytest.skip("no Chromium here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Visitors:
    """People at their browsers, and what the browsers complained of."""

    browser: Browser
    stack: Stack
    pages: list[Page] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __call__(self, name: str | None = None, **look: Any) -> Page:
        """A new browser, signed in as the person if one is named."""
        settings = {"locale": "en-GB", "timezone_id": "UTC", **DESKTOP, **look}
        context = self.browser.new_context(base_url=self.stack.url, **settings)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", self.listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.pages.append(page)
        if name:
            sign_in(page, name)
        return page

    def listen(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.location.get('url')}: {message.text}")


@pytest.fixture
def visitor(browser: Browser, stack: Stack) -> Iterator[Visitors]:
    """`visitor("Bob")` is a page on which Bob has signed in; no console may complain."""
    visitors = Visitors(browser, stack)
    yield visitors
    for page in visitors.pages:
        page.context.close()
    assert visitors.complaints == []


def sign_in(page: Page, name: str) -> None:
    page.goto("/login")
    page.get_by_label("E-mail").fill(f"{name.lower()}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def shoot(page: Page, name: str) -> None:
    """The whole page is kept in build/screenshots/."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
