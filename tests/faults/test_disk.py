"""A full disk: what cannot be kept is refused in a sentence, and nothing acknowledged is lost."""

import os
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest

from bench.stack import Browser, Stack, free_port
from tests.faults.disks import Cramped, fill, full, may_mount
from tests.faults.faults import tell
from tests.faults.history import History, Truth, agree, load
from tests.faults.readers import read_everything, unserved
from tests.promises import Figure

NOISE = "SELECT pg_logical_emit_message(true, 'noise', repeat('x', 30000000))"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: started, filled, stopped, and started again where there is no room."""
    if not may_mount():
        assert not os.environ.get("EXCHANGE_REQUIRE_DISK"), "no file system can be mounted here"
        pytest.skip("NO FULL DISK WAS TRIED: no file system can be mounted here")
    folder, port = tmp_path_factory.mktemp("small"), free_port()
    roomy = Stack(folder, port)
    roomy.start()
    for email, role in (("ann", "manager"), ("bob", "worker"), ("fay", "admin")):
        roomy.add_user(f"{email}@example.com", role)
    roomy.stop()
    cramped = Cramped(folder, port)
    cramped.start()
    yield cramped
    cramped.stop()


def refused(ann: Browser, folder: Path) -> str:
    """The sentence with which a task is refused; empty if it is taken."""
    fill(folder)
    try:
        ann.post("/tasks", {"title": "Too much", "description": "x" * 20_000})
    except urllib.error.HTTPError as error:
        return error.read().decode() if error.code == 503 else ""
    return ""


@pytest.mark.promise(41)
def test_a_full_disk_of_the_bus_delays_effects_and_loses_none(
    stack: Cramped,
    people: dict[str, Browser],
    history: History,
    truth: Truth,
    eventually: Callable,
    figure: Figure,
) -> None:
    with load(stack, history, "bus full") as clients:
        clients.wait_for(20)
        with full(stack, "valkey"):
            eventually(lambda: truth.bus.info("persistence")["aof_last_write_status"] == "err")
            clients.wait_for(20)
            assert unserved(read_everything(people)) == []
            assert truth.unpublished() > 0
        freed = time.monotonic()
    healed_s = agree(history, truth, eventually, freed, 60)

    assert history.count("unknown") == 0
    figure("healed after", healed_s, "s")


@pytest.mark.promise(41)
def test_a_full_disk_of_the_primary_refuses_what_it_cannot_keep(
    stack: Cramped,
    people: dict[str, Browser],
    history: History,
    truth: Truth,
    eventually: Callable,
    figure: Figure,
) -> None:
    with load(stack, history, "primary full") as clients:
        clients.wait_for(20)
        with full(stack, "postgres-primary") as folder:
            # Its log has room in files it has already; they are used up.
            with suppress(psycopg2.Error):
                for _ in range(10):
                    tell(stack, "postgres-primary", NOISE)
            sentence = eventually(lambda: refused(people["ann"], folder))
            assert unserved(read_everything(people)) == []
        freed = time.monotonic()
        clients.wait_for(20)
        writing_s = time.monotonic() - freed
    agree(history, truth, eventually, freed, 60)

    assert "try again" in sentence
    figure("writing again after", writing_s, "s")
