"""The books balance at every look, whatever breaks meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.stack import Stack
from common.db import LOST, Server
from tests.faults.history import WRONG_BALANCES
from tests.promises import Figure
from tests.soak.__main__ import Soak
from tests.soak.world import world

PAUSE_S = 0.2
SEED = 348  # servers stopped, killed, frozen, promoted, commits cut, the bus wiped, a day passed
# What the day had when it was closed, beside what its transfers say now.
WRONG_DAYS = """
    SELECT day FROM business_day LEFT JOIN (
        SELECT day, sum(fees_cents) AS fees, sum(rewards_cents) AS rewards FROM recount GROUP BY day
    ) AS moved USING (day)
    WHERE state <> 'open'
          AND (fees_cents, rewards_cents) IS DISTINCT FROM (coalesce(fees, 0), coalesce(rewards, 0))
"""
CLOSED = "SELECT count(*) FROM business_day WHERE state <> 'open'"


class Looker(threading.Thread):
    """Looks at the books again and again, each time at one moment."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.books = Server(None)
        self.books.open(stack.told()["ACCOUNTING_DATABASE_URL"])
        self.stop = threading.Event()
        self.looks = self.closed = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        while not self.stop.wait(PAUSE_S):
            try:
                self.look()
            except LOST:
                self.books.close_quietly()
        self.books.close_quietly()

    def look(self) -> None:
        with self.books.atomic():
            self.books.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            found = [f"balance of {row['worker_id']}" for row in self.books.rows(WRONG_BALANCES)]
            found += [f"transfers of {row['day']}" for row in self.books.rows(WRONG_DAYS)]
            self.closed = self.books.value(CLOSED)
        self.looks += 1
        self.wrong += [f"look {self.looks}: {sentence}" for sentence in found]


@contextmanager
def looking(stack: Stack) -> Iterator[Looker]:
    looker = Looker(stack)
    looker.start()
    try:
        yield looker
    finally:
        looker.stop.set()
        looker.join()


@pytest.mark.promise(22)
def test_the_ledger_balances_at_every_look(tmp_path: Path, figure: Figure) -> None:
    with world(tmp_path) as made, looking(made.stack) as looker:
        found = Soak(SEED, made).round(1, 70)

    assert found == []
    assert looker.wrong == []
    assert looker.looks > 100
    assert looker.closed > 0
    figure("looks", looker.looks)
    figure("days closed meanwhile", looker.closed)
