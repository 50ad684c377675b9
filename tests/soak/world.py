"""The stack under soak, its clock, and the people who work on it."""

import threading
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.stack import PASSWORD, Browser, Stack, free_port
from common.stack import status
from common.stack.state import replace
from tests.soak.history import History
from tests.sources import copy_to

CLOCKWORK = str(Path(__file__).with_name("clockwork"))
CAST = {"fay": "admin", "ann": "manager", "dan": "accountant", "bob": "worker", "cat": "worker",
        "gil": "worker", "hal": "worker", "ivy": "worker"}  # fmt: skip
AWAY = (502, 503, 504)


class Clocked(Stack):
    """A stack whose clock can be put forward.  Says where its processes are without starting one
    for the purpose.
    """

    def start(self) -> float:
        # An hour is long: whoever edits the sources meanwhile must not be part of it.
        sources = copy_to(self.folder / "sources")
        self.clock = self.folder / "clock"
        self.put_forward(timedelta(0))
        self.env |= {
            "PYTHONPATH": f"{CLOCKWORK}:{sources}",
            "SOAK_CLOCK": str(self.clock),
            "EXCHANGE_PG_SHARED_BUFFERS": "128MB",
            "EXCHANGE_FEE_RANGE": "1-5",  # so that there is something to pay out
            # Who was dismissed knocks again and again.
            "EXCHANGE_LOGIN_FAILURES_ACCOUNT": "1000000",
            "EXCHANGE_LOGIN_FAILURES_ADDRESS": "1000000",
        }
        return super().start()

    @property
    def ahead(self) -> timedelta:
        return timedelta(seconds=float(self.clock.read_text() if self.clock.exists() else 0))

    def put_forward(self, by: timedelta) -> None:
        replace(self.clock, str((self.ahead + by).total_seconds()))

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def status(self) -> Any:
        return status.status(str(self.folder))


class World:
    """Everybody signed in, each thread for itself, and what they did."""

    def __init__(self, stack: Clocked) -> None:
        self.stack = stack
        self.history = History()
        self.ids: dict[str, str] = {}
        self.local = threading.local()

    def fill(self) -> None:
        """The cast is there."""
        self.stack.add_user("fay@example.com", "admin")
        for name, role in list(CAST.items())[1:]:
            self.add_person(name, role)
        self.ids["fay"] = next(
            user["id"] for user in self.browser("fay").get("/users?q=fay@")["users"]
        )
        self.history.person(self.ids["fay"], "Fay", "admin")

    def add_person(self, name: str, role: str) -> str:
        form = {"email": f"{name}@example.com", "name": name.title(), "role": role,
                "password": PASSWORD}  # fmt: skip
        made, outcome = self.post("fay", "/users", form, what="add a person")
        self.history.people[form["email"]] = outcome
        if made:
            self.ids[name] = made["id"]
            self.history.person(made["id"], form["name"], role)
        return outcome

    def browser(self, name: str) -> Browser:
        """Theirs, in this thread.  Raises OSError if they cannot sign in."""
        known = self.local.__dict__.setdefault("browsers", {})
        if name not in known:
            known[name] = Browser(self.stack.url, f"{name}@example.com")
        return known[name]

    def forget(self, name: str) -> None:
        self.local.__dict__.setdefault("browsers", {}).pop(name, None)

    def post(
        self, name: str, path: str, form: dict[str, str] | None = None, *, what: str
    ) -> tuple[Any, str]:
        """The answer if it came, and `ok`, `failed` or `unknown`."""
        return self.outcome(name, what, lambda browser: browser.post(path, form))

    def outcome(self, name: str, what: str, ask: Any) -> tuple[Any, str]:
        answer, outcome = None, "failed"
        try:
            browser = self.browser(name)
        except (OSError, ValueError, KeyError):
            self.history.count("sign in", "failed")
            return None, "failed"
        try:
            answer, outcome = ask(browser), "ok"
        except urllib.error.HTTPError as error:
            outcome = self.refused(name, what, error)
        except (OSError, ValueError):
            outcome = "unknown"
        self.history.count(what, outcome)
        return answer, outcome

    def refused(self, name: str, what: str, error: urllib.error.HTTPError) -> str:
        if error.code in (401, 403):
            self.forget(name)
        if error.code >= 500 and error.code not in AWAY:
            self.history.broken.append(f"{what}: {error.code} {error.url}")
        return "failed" if error.code < 500 else "unknown"

    def get(self, name: str, path: str) -> Any:
        """What the page says; None if it could not be had."""
        return self.outcome(name, "read", lambda browser: browser.get(path))[0]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A stack in the empty folder with the cast on it; the folder stays."""
    stack = Clocked(folder, free_port())
    try:
        stack.start()
        made = World(stack)
        made.fill()
        yield made
    finally:
        stack.stop()
