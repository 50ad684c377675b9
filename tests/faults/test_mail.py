"""Every letter goes out, normally once, and one that goes out twice says so."""

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bench.stack import Stack
from common import clock
from common.db import Server, deadline
from common.events import PayoutMade
from common.outbox import Outbox
from mailer.cli import SENDERS
from mailer.letters import BATCH
from mailer.message import message_id
from tests.faults.faults import back, killed
from tests.faults.history import Truth
from tests.promises import Figure

BOB = "SELECT id FROM person WHERE email = 'bob@example.com'"
LETTERS = "SELECT id, state FROM letter WHERE cause_id = ANY(%s::uuid[])"
BLOCK = "LOCK TABLE outbox IN SHARE MODE"
# Who waits for the outbox, to tell that a letter was sent.
WAITING = """
    FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO outbox%%'
"""
SETTLING = f"SELECT count(*) {WAITING}"
# A server goes on for a process that is dead.
UNSETTLE = f"SELECT count(pg_terminate_backend(pid, 1000)) {WAITING}"
# The lease of a dead process ends after a minute; here it ends now.
END_LEASE = "UPDATE letter SET next_attempt_at = now() WHERE state = 'sending'"


class Post:
    """Letters asked for, and the mails that came of them."""

    def __init__(self, stack: Stack, truth: Truth, count: int) -> None:
        self.folder = Path(stack.status()["inbox"])
        self.mailer = truth.servers["mailer"]
        self.before = {path.name for path in self.folder.glob("*.eml")}
        self.causes = [str(uuid4()) for _ in range(count)]
        bob, accounting = truth.servers["gateway"].value(BOB), truth.accounting
        with deadline(60), accounting.atomic():
            Outbox(accounting, "accounting").add_all(payout(each, bob) for each in self.causes)

    def states(self) -> Counter[str]:
        with deadline(30):
            return Counter(row["state"] for row in self.mailer.rows(LETTERS, self.causes))

    def expected(self) -> set[str]:
        with deadline(30):
            return {message_id(row["id"]) for row in self.mailer.rows(LETTERS, self.causes)}

    def names(self) -> set[str]:
        return {path.name for path in self.folder.glob("*.eml")} - self.before

    def received(self) -> Counter[str]:
        """`{Message-ID: how many mails}` of these letters; there may be others under way."""
        texts = ((self.folder / name).read_text() for name in self.names())
        found = [re.findall(r"^Message-ID: (\S+)", text, re.M)[0] for text in texts]
        expected = self.expected()
        return Counter(each for each in found if each in expected)


def payout(payout_id: str, worker_id: Any) -> PayoutMade:
    return PayoutMade(
        payout_id=payout_id,
        payout_run_id=uuid4(),
        worker_id=worker_id,
        day=clock.now().date(),
        carried_cents=0,
        fees_cents=1500,
        rewards_cents=4000,
        amount_cents=2500,
        currency="EUR",
        paid_at=clock.now(),
    )


@pytest.mark.promise(31)
def test_ten_thousand_letters_go_out_once(
    stack: Stack, truth: Truth, eventually: Callable, figure: Figure
) -> None:
    began = time.monotonic()
    post = Post(stack, truth, 10_000)

    eventually(lambda: post.states() == {"sent": 10_000}, 400)
    took_s = time.monotonic() - began

    received = post.received()
    assert set(received) == post.expected()
    assert set(received.values()) == {1}
    figure("letters sent", 10_000 / took_s, "/s")


@pytest.mark.promise(30)
@pytest.mark.promise(31)
def test_a_crash_after_250_sends_the_same_letter_again(
    stack: Stack, truth: Truth, eventually: Callable, figure: Figure
) -> None:
    mailer = Server(None)
    mailer.open(truth.servers["mailer"].database)
    post = Post(stack, truth, 0)
    for number in range(1, 4):
        eventually(lambda: back(stack, "mailer-consume"))
        with mailer.atomic():
            mailer.execute_sql(BLOCK)
            # More than all senders but one lease at once.
            more = Post(stack, truth, BATCH * SENDERS)
            eventually(lambda asked=more: asked.mailer.value(SETTLING) == SENDERS)
            killed(stack, "mailer-consume")
            assert mailer.value(UNSETTLE) == SENDERS
        post.causes += more.causes
        mailer.run(END_LEASE)
        count = number * BATCH * SENDERS
        eventually(lambda all_of_them=count: post.states() == {"sent": all_of_them}, 60)
    mailer.close_quietly()

    received = post.received()
    assert set(received) == post.expected()
    assert received.total() - len(received) == 3 * SENDERS
    figure("mails sent again by three crashes", received.total() - len(received))
