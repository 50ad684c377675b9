"""The standby takes the place of a primary that is gone, and the services find it by themselves."""

import time
from collections.abc import Callable
from threading import Thread

import psycopg2
import pytest

from bench.stack import Browser, Stack
from tests.faults.faults import dead, primary, promote_standby, standby, tell
from tests.faults.history import History, Truth, agree, load
from tests.faults.readers import read_everything, unserved
from tests.promises import Figure

IS_STANDBY = "SELECT pg_is_in_recovery()"


def pids(stack: Stack) -> dict[str, int]:
    return {process["name"]: process["pid"] for process in stack.status()["processes"]}


@pytest.mark.promise(20)
def test_promoting_the_standby_brings_writing_back_and_the_old_primary_never_writes_again(
    stack: Stack,
    people: dict[str, Browser],
    history: History,
    truth: Truth,
    eventually: Callable,
    figure: Figure,
) -> None:
    old, new, before = primary(stack), standby(stack), pids(stack)

    with load(stack, history, "promotion") as clients:
        clients.wait_for(20)
        stack.run("server", "stop", old)
        promotion, began = Thread(target=promote_standby, args=(stack,)), time.monotonic()
        promotion.start()
        clients.wait_for(1, within_s=30)
        writing_s = time.monotonic() - began
        promotion.join()
        clients.wait_for(20)

    assert writing_s < 10
    figure("writing again after", writing_s, "s")
    assert pids(stack) == before
    assert (primary(stack), tell(stack, old, IS_STANDBY)) == (new, True)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        tell(stack, old, "CREATE TABLE second_writer ()")
    eventually(lambda: stack.status()["databases"]["tracker"]["lag_s"] == 0)
    with dead(stack, new):
        assert unserved(read_everything(people)) == []
    promote_standby(stack)
    assert (primary(stack), standby(stack)) == (old, new)
    agree(history, truth, eventually, time.monotonic(), 60)
