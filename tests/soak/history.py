"""What the clients did and what came back, kept apart from the system."""

import threading
from collections import Counter, defaultdict
from typing import Any


class Register:
    """A value that is set again and again.  A request of unknown outcome may act at any time
    after, so what it would have set stays possible.
    """

    def __init__(self, value: Any) -> None:
        self.sure = value
        self.maybe: set[Any] = set()

    def set(self, value: Any, outcome: str) -> None:
        if outcome == "ok":
            self.sure = value
        elif outcome == "unknown":
            self.maybe.add(value)

    def allows(self, value: Any) -> bool:
        return value == self.sure or value in self.maybe


class History:
    """Every operation with its outcome: `ok`, `failed` or `unknown`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.broken: list[str] = []
        self.added: dict[str, str] = {}  # by the mark that begins the title
        self.imports: dict[str, tuple[int, str]] = {}
        self.descriptions: dict[str, Register] = {}
        self.ends: defaultdict[str, list[tuple[str, str, str]]] = defaultdict(list)
        self.people: dict[str, str] = {}
        self.fields: dict[tuple[str, str], Register] = {}
        self.closings: dict[str, list[str]] = {}

    def count(self, what: str, outcome: str) -> None:
        with self.lock:
            self.counts[what, outcome] += 1

    def person(self, user_id: str, name: str, role: str) -> None:
        for field, value in (("name", name), ("role", role), ("is_active", True)):
            self.fields[user_id, field] = Register(value)

    def end(self, task_id: str, how: str, by: str, outcome: str) -> None:
        with self.lock:
            self.ends[task_id].append((how, by, outcome))

    def close(self, day: str, outcome: str) -> None:
        with self.lock:
            self.closings.setdefault(day, []).append(outcome)

    def total(self, outcome: str = "") -> int:
        return sum(count for (_, each), count in self.counts.items() if outcome in ("", each))
