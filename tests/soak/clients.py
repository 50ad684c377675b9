"""Who does what to the stack: a mix by seed, each client a thread."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from tests.soak.history import Register
from tests.soak.world import CAST, World

PAGES = {
    "bob": ("/tasks?assignee=me", "/tasks?status=done", "/earnings", "/account"),
    "ann": ("/tasks?q=soak", "/reassignments", "/reassignments/new", "/tasks/import"),
    "dan": ("/accounting", "/payout-runs", "/earnings"),
    "fay": ("/analytics", "/users", "/mail", "/events", "/audit"),
}
WORKERS = [name for name, role in CAST.items() if role == "worker"]
SURE = 3  # so many of the workers nobody deactivates


class Client(threading.Thread):
    """One who chooses among deeds by weight, again and again, until told to stop."""

    def __init__(self, world: World, name: str, chance: random.Random, pause_s: float) -> None:
        super().__init__(name=name)
        self.world, self.history = world, world.history
        self.chance, self.pause_s = chance, pause_s
        self.stop = threading.Event()
        self.number = 0
        self.tasks: list[tuple[str, str]] = []  # (id, mark) of those added here

    deeds: tuple[tuple[int, Callable[[Any], None]], ...] = ()

    def run(self) -> None:
        weights = [weight for weight, _ in self.deeds]
        while not self.stop.is_set():
            [(_, deed)] = self.chance.choices(self.deeds, weights)
            deed(self)
            self.stop.wait(self.chance.expovariate(1 / self.pause_s))

    def mark(self) -> str:
        self.number += 1
        return f"soak {self.name}.{self.number}"


class Manager(Client):
    """Ann adds, imports, edits and withdraws tasks, and deals them anew."""

    def add(self) -> None:
        mark = self.mark()
        form = {"title": f"{mark} ·", "description": "first", "form_key": uuid4().hex}
        # The same form sent again until it is known: it adds one task.
        outcomes: list[str] = []
        while "ok" not in outcomes and outcomes.count("unknown") == len(outcomes) < 3:
            answer, outcome = self.world.post("ann", "/tasks", form, what="add")
            outcomes.append(outcome)
        # Refused after an unknown one, it may still have been added by that.
        known = "ok" if "ok" in outcomes else "unknown" if "unknown" in outcomes else "failed"
        self.history.added[mark] = known
        self.history.descriptions[mark] = Register("first")
        if answer:
            self.tasks.append((answer["id"], mark))

    def add_plainly(self) -> None:
        mark = self.mark()
        form = {"title": f"{mark} ·", "description": "first"}
        self.history.added[mark] = self.world.post("bob", "/tasks", form, what="add")[1]

    def bring(self) -> None:
        mark, count = self.mark(), self.chance.randint(2, 40)
        rows = "".join(f"{mark}/{n} ·,\n" for n in range(count))
        file = f"title,description\n{rows}".encode()
        self.history.imports[mark] = (
            count,
            self.world.outcome(
                "ann", "import", lambda browser: browser.upload("/tasks/import", "file", file)
            )[1],
        )

    def edit(self) -> None:
        if self.tasks:
            task_id, mark = self.chance.choice(self.tasks)
            text = self.mark()
            _, outcome = self.world.post(
                "ann", f"/tasks/{task_id}", {"description": text}, what="edit"
            )
            self.history.descriptions[mark].set(text, outcome)

    def withdraw(self) -> None:
        if self.tasks:
            task_id, _ = self.chance.choice(self.tasks)
            _, outcome = self.world.post("ann", f"/tasks/{task_id}/withdrawal", what="withdraw")
            self.history.end(task_id, "withdrawn", "ann", outcome)

    def reassign(self) -> None:
        run, _ = self.world.post("ann", "/reassignments", what="reassign")
        if run and self.chance.random() < 0.3:
            how = self.chance.choice(("pause", "cancellation"))
            self.world.post("ann", f"/reassignments/{run['id']}/{how}", what=how)
            if how == "pause":
                self.stop.wait(self.chance.uniform(0, 3))
                self.world.post("ann", f"/reassignments/{run['id']}/resumption", what="resume")

    deeds = ((10, add), (5, add_plainly), (2, bring), (4, edit), (3, withdraw), (2, reassign))


class Worker(Client):
    """All workers by turns complete what they hold."""

    def complete(self) -> None:
        name = self.chance.choice(WORKERS)
        found = self.world.get(name, "/tasks?assignee=me")
        for task in (
            self.chance.sample(found["tasks"], min(3, len(found["tasks"]))) if found else ()
        ):
            path = f"/tasks/{task['id']}/completion"
            _, outcome = self.world.post(name, path, what="complete")
            self.history.end(task["id"], "done", name, outcome)

    deeds = ((1, complete),)


class Office(Client):
    """Dan closes days, Fay changes who there is."""

    def close(self) -> None:
        found = self.world.get("dan", "/payout-runs")
        if found is not None:
            today = self.world.stack.now().date().isoformat()
            _, outcome = self.world.post("dan", "/payout-runs", {"day": today}, what="close a day")
            self.history.close(today, outcome)

    def change(self, name: str, field: str, sent: str, value: Any) -> None:
        user_id = self.world.ids.get(name)
        if user_id:
            key = "active" if field == "is_active" else field
            _, outcome = self.world.post(
                "fay", f"/users/{user_id}", {key: sent}, what="change a person"
            )
            self.history.fields[user_id, field].set(value, outcome)

    def dismiss(self) -> None:
        self.change(self.chance.choice(WORKERS[SURE:]), "is_active", "false", False)

    def call_back(self) -> None:
        self.change(self.chance.choice(WORKERS[SURE:]), "is_active", "true", True)

    def promote(self) -> None:
        role = self.chance.choice(("manager", "worker", "accountant"))
        self.change(self.chance.choice(WORKERS[SURE:]), "role", role, role)

    def rename(self) -> None:
        name = self.chance.choice(WORKERS)
        new = f"{name.title()} {self.chance.randint(1, 99)}"
        self.change(name, "name", new, new)

    def hire(self) -> None:
        self.number += 1
        self.world.add_person(f"new-{self.name}.{self.number}", "worker")

    deeds = ((1, close), (3, dismiss), (3, call_back), (2, promote), (2, rename), (1, hire))


class Reader(Client):
    """Everybody looks at pages."""

    def look(self) -> None:
        name = self.chance.choice(list(PAGES))
        self.world.get(name, self.chance.choice(PAGES[name]))

    deeds = ((1, look),)


@contextmanager
def at_work(world: World, seed: str) -> Iterator[list[Client]]:
    """The clients of one round, for the length of the block."""
    kinds = ((Manager, 0.5), (Worker, 0.7), (Worker, 0.7), (Office, 3.0), (Reader, 0.7))
    clients = [
        kind(world, f"{seed}.{n}", random.Random(f"{seed}.{n}"), pause_s)
        for n, (kind, pause_s) in enumerate(kinds)
    ]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        for client in clients:
            client.stop.set()
        for client in clients:
            client.join(90)
