"""What clients did, kept apart from the system, and what its databases are compared with."""

import random
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from bench.stack import Browser, Stack
from common import bus_status, relay, stream
from common.db import LOST, Row, Server
from common.service import services

REFUSED = range(400, 500)
GROUPS = sum(len(service.listens) for service in services())

DEALT = "SELECT task_id, count(*) AS times FROM report_transfers WHERE kind = %s GROUP BY 1"
WRONG_BALANCES = """
    SELECT worker_id FROM report_balances FULL JOIN (
        SELECT worker_id, sum(signed_cents) AS cents FROM report_transfers GROUP BY 1
    ) AS recount USING (worker_id) WHERE balance_cents IS DISTINCT FROM cents
"""


class History:
    """The outcome of every operation: `ok`, `failed` or `unknown`."""

    def __init__(self) -> None:
        self.added: dict[str, str] = {}
        self.completed: dict[str, str] = {}
        self.slowest_s = 0.0

    def add(self, browser: Browser, title: str) -> str | None:
        """The task's id if it is known to have been added."""
        answer, self.added[title] = self.ask(browser, "/tasks", {"title": title, "description": ""})
        return answer["id"] if answer else None

    def complete(self, browser: Browser, task_id: str) -> None:
        self.completed[task_id] = self.ask(browser, f"/tasks/{task_id}/completion", {})[1]

    def ask(self, browser: Browser, path: str, form: dict[str, str]) -> tuple[Any, str]:
        began = time.monotonic()
        result = outcome(browser, path, form)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        return result

    def count(self, state: str) -> int:
        return [*self.added.values(), *self.completed.values()].count(state)


def outcome(browser: Browser, path: str, form: dict[str, str]) -> tuple[Any, str]:
    try:
        return browser.post(path, form), "ok"
    except urllib.error.HTTPError as error:
        return None, "failed" if error.code in REFUSED else "unknown"
    except (OSError, ValueError):
        return None, "unknown"


class Load:
    """Clients that add tasks and complete half of them until told to stop."""

    def __init__(self, stack: Stack, history: History, clients: int, name: str) -> None:
        self.history = history
        self.stop = threading.Event()
        pairs = [[Browser(stack.url, f"{name}@example.com") for name in ("ann", "bob")]
                 for _ in range(clients)]  # fmt: skip
        self.threads = [
            threading.Thread(target=self.work, args=(ann, bob, f"{name} {n}"))
            for n, (ann, bob) in enumerate(pairs)
        ]

    def work(self, ann: Browser, bob: Browser, name: str) -> None:
        chance, number = random.Random(name), 0
        while not self.stop.is_set():
            number += 1
            task_id = self.history.add(ann, f"{name}.{number}")
            if task_id and chance.random() < 0.5:
                self.history.complete(bob, task_id)

    def wait_for(self, more: int, within_s: float = 60) -> None:
        """That many more operations were done."""
        goal = self.history.count("ok") + more
        end = time.monotonic() + within_s
        while self.history.count("ok") < goal:
            assert time.monotonic() < end, f"no {more} operations within {within_s} s"
            time.sleep(0.01)


@contextmanager
def load(stack: Stack, history: History, name: str, clients: int = 3) -> Iterator[Load]:
    """Clients at work for the length of the block."""
    made = Load(stack, history, clients, name)
    for thread in made.threads:
        thread.start()
    try:
        yield made
    finally:
        made.stop.set()
        for thread in made.threads:
            thread.join()


class Truth:
    """The databases and the bus, looked at from outside."""

    def __init__(self, stack: Stack) -> None:
        status = stack.status()
        self.bus = stream.connect(status["bus"])
        self.servers: dict[str, Server] = {}
        for name, urls in status["databases"].items():
            self.servers[name] = Server(None)
            self.servers[name].open(urls["primary"])
        self.tracker, self.accounting = self.servers["tracker"], self.servers["accounting"]

    def unpublished(self) -> int:
        return sum(relay.backlog(server)[0] for server in self.servers.values())

    def is_quiet(self) -> bool:
        """Everything said was published, and all of it was read and acknowledged."""
        try:
            rows = bus_status.lags(self.bus)
            is_idle = not any(row["lag"] or row["pending"] or row["oldest_s"] for row in rows)
            return len(rows) == GROUPS and is_idle and not self.unpublished()
        except (redis.RedisError, *LOST):
            return False

    def transfers(self, kind: str) -> dict[str, int]:
        rows = self.accounting.rows(DEALT, kind)
        return {str(row["task_id"]): row["times"] for row in rows}

    def missing(self) -> list[str]:
        """The tasks whose facts have had no effect in accounting."""
        fees, rewards = self.transfers("deal_fee"), self.transfers("completion_reward")
        return [
            f"{task['title']} {task['status']}"
            for task in self.tasks()
            if task["id"] not in fees or (task["status"] == "done" and task["id"] not in rewards)
        ]

    def tasks(self) -> list[Row]:
        return self.tracker.rows(
            "SELECT task.id::text, title, coalesce(status, 'open') AS status"
            " FROM task LEFT JOIN outcome ON task_id = task.id"
        )

    def close(self) -> None:
        for server in self.servers.values():
            server.close_quietly()
        self.bus.close()


def agree(
    history: History, truth: Truth, eventually: Callable[..., Any], since: float, within_s: float
) -> float:
    """Seconds from `since` until everything said had had its effect; and nothing differs from the
    history.
    """
    eventually(lambda: truth.is_quiet() and not truth.missing(), within_s)
    took_s = time.monotonic() - since
    found = differences(history, truth)
    assert not found, "\n".join(found[:20])
    assert history.count("ok") > 0
    return took_s


def differences(history: History, truth: Truth) -> list[str]:
    """What the databases say otherwise than the clients' history; none if no promise is broken."""
    tasks = truth.tasks()
    times = Counter(task["title"] for task in tasks)
    done = {task["id"] for task in tasks if task["status"] == "done"}
    wrong = [f"{title} {state}, there {times[title]} times"
             for title, state in history.added.items()
             if not allowed(state, times[title])]  # fmt: skip
    wrong += [f"completion of {task_id} {state}" for task_id, state in history.completed.items()
              if not allowed(state, task_id in done)]  # fmt: skip
    # Of these tasks only: others may have been dealt anew, at another fee.
    mine = {task["id"] for task in tasks if task["title"] in history.added}
    for kind in ("deal_fee", "completion_reward"):
        times_of = truth.transfers(kind)
        wrong += [
            f"{kind} of {each} {times_of[each]} times" for each in mine if times_of.get(each, 0) > 1
        ]
    wrong += [f"balance of {row['worker_id']}" for row in truth.accounting.rows(WRONG_BALANCES)]
    return wrong + [f"no effect of {task}" for task in truth.missing()]


def allowed(state: str, times: int) -> bool:
    return times in {"ok": (1,), "failed": (0,), "unknown": (0, 1)}[state]
