"""No fact is lost on its way, and none has its effect twice, whatever is killed or wiped."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.stack import Browser, Stack
from common import stream
from tests.faults.faults import another, back, frozen, killed
from tests.faults.history import History, Truth, agree, load
from tests.promises import Figure

TRACKER, ACCOUNTING = stream.name_of("tracker"), "accounting"
BLOCK = "LOCK TABLE transfer IN EXCLUSIVE MODE"


@pytest.mark.promise(1)
def test_what_was_committed_is_published_whoever_is_killed(
    stack: Stack, history: History, truth: Truth, eventually: Callable, figure: Figure
) -> None:
    victims = ["tracker-web/worker"] * 6 + ["tracker-relay"] * 4 + ["tracker-web"] * 2
    random.Random(7).shuffle(victims)

    with load(stack, history, "anybody killed") as clients:
        for victim in victims:
            clients.wait_for(5)
            eventually(lambda name=victim: back(stack, name.partition("/")[0]))
            killed(stack, victim)
        ended = time.monotonic()
    healed_s = agree(history, truth, eventually, ended, 60)

    assert truth.unpublished() == 0
    figure("outcomes unknown to clients", history.count("unknown"))
    figure("quiet after", healed_s, "s")


@pytest.mark.promise(6)
def test_a_bus_killed_under_load_loses_nothing(
    stack: Stack, history: History, truth: Truth, eventually: Callable, figure: Figure
) -> None:
    with load(stack, history, "bus killed") as clients:
        for _ in range(3):
            clients.wait_for(20)
            killed(stack, "valkey")
            died = time.monotonic()
            eventually(lambda: back(stack, "valkey"))
    healed_s = agree(history, truth, eventually, died, 60)

    figure("quiet after", healed_s, "s")


def truncate(stack: Stack, _: Truth) -> None:
    """The bus stops, and starts with half of what it wrote."""
    stack.run("server", "stop", "valkey")
    [written] = Path(stack.folder, "valkey").glob("appendonlydir/*.incr.aof")
    with written.open("r+b") as file:
        file.truncate(written.stat().st_size // 2)
    stack.run("server", "start", "valkey")


LOSSES: dict[str, Callable[[Stack, Truth], Any]] = {
    "wiped": lambda _, truth: truth.bus.flushall(),
    "stream deleted": lambda _, truth: truth.bus.delete(TRACKER),
    "file truncated": truncate,
}


@pytest.mark.promise(7)
@pytest.mark.parametrize("loss", LOSSES)
def test_lost_data_of_the_bus_heals_by_itself(
    loss: str, stack: Stack, history: History, truth: Truth, eventually: Callable, figure: Figure
) -> None:
    with load(stack, history, loss) as clients:
        clients.wait_for(20)
        with frozen(stack, "accounting-consume"):
            clients.wait_for(40)
            eventually(lambda: truth.bus.xlen(TRACKER) > 0)
            lost = time.monotonic()
            LOSSES[loss](stack, truth)
    healed_s = agree(history, truth, eventually, lost, 60)

    assert healed_s < 60
    figure("healed after", healed_s, "s")


@pytest.mark.promise(7)
def test_an_idle_bus_heals_too(
    stack: Stack, history: History, truth: Truth, ann: Browser, eventually: Callable, figure: Figure
) -> None:
    with frozen(stack, "accounting-consume"):
        for number in range(20):
            history.add(ann, f"idle {number}")
        eventually(lambda: not truth.unpublished())
        lost = time.monotonic()
        truth.bus.flushall()
    healed_s = agree(history, truth, eventually, lost, 60)

    assert healed_s < 60
    figure("healed after", healed_s, "s")


@contextmanager
def left_pending(
    title: str, history: History, truth: Truth, ann: Browser, eventually: Callable
) -> Iterator[dict[str, Any]]:
    """An entry that accounting's consumer has in hand and cannot finish before the block ends."""
    eventually(truth.is_quiet)
    with truth.accounting.atomic():
        truth.accounting.execute_sql(BLOCK)
        history.add(ann, title)
        eventually(lambda: truth.bus.xpending(TRACKER, ACCOUNTING)["pending"])
        [entry] = truth.bus.xpending_range(TRACKER, ACCOUNTING, "-", "+", 1)
        yield entry


@pytest.mark.promise(10)
def test_a_dead_consumers_work_is_taken_over(
    stack: Stack, history: History, truth: Truth, ann: Browser, eventually: Callable, figure: Figure
) -> None:
    with left_pending("left by a dead consumer", history, truth, ann, eventually):
        killed(stack, "accounting-consume")
        died = time.monotonic()
    redone_s = agree(history, truth, eventually, died, 20)

    assert redone_s < 15
    figure("redone after", redone_s, "s")


@pytest.mark.promise(11)
def test_a_frozen_consumers_work_is_taken_over_and_it_wakes_safely(
    stack: Stack,
    history: History,
    truth: Truth,
    ann: Browser,
    eventually: Callable,
    figure: Figure,
) -> None:
    def owner(entry_id: str) -> str:
        found = truth.bus.xpending_range(TRACKER, ACCOUNTING, entry_id, entry_id, 1)
        return found[0]["consumer"] if found else "nobody"

    with ExitStack() as second:
        with ExitStack() as sleep:
            with left_pending("left by a frozen consumer", history, truth, ann, eventually) as left:
                sleep.enter_context(frozen(stack, "accounting-consume"))
            second.enter_context(another(stack, "accounting consume"))
            eventually(lambda: owner(left["message_id"]) != left["consumer"])
        woken = time.monotonic()
        settled_s = agree(history, truth, eventually, woken, 30)

    figure("settled after waking", settled_s, "s")
