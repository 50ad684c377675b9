"""Bus and queue behind three sentinels, and every process of the system finds the new master."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.stack import Browser
from common import clock
from common.config import Config
from tests.common.watched import Watched
from tests.everything import everything
from tests.faults.history import History, Truth, agree, load
from tests.promises import Figure


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with Watched(tmp_path) as made:
        yield made


@pytest.fixture
def company(
    settings: Config, watched: Watched, tmp_path: Path, eventually: Callable
) -> Iterator[Any]:
    """Everything, with three people in it, asks the sentinels where bus and queue are."""
    urls = {"BUS_URL": watched.url, "QUEUE_URL": watched.url[:-1] + "1"}
    with everything(settings, tmp_path, **urls) as made:
        eventually(made.is_ready, 60)
        for email, role in (("ann", "manager"), ("bob", "worker"), ("fay", "admin")):
            made.add_user(f"{email}@example.com", role)
        yield made


@pytest.mark.promise(6)
def test_everything_goes_on_at_the_next_master(
    company: Any, watched: Watched, history: History, eventually: Callable, figure: Figure
) -> None:
    ann, fay = (Browser(company.url, f"{name}@example.com") for name in ("ann", "fay"))
    today = str(clock.now().date())

    with closing(Truth(company)) as truth:
        with load(company, history, "master killed") as clients:
            clients.wait_for(20)
            watched.kill_master()
            died = time.monotonic()
            asked = fay.post("/payout-runs", {"day": today})["id"]
            eventually(lambda: fay.get(f"/payout-runs/{asked}")["state"] == "done", 60)
            figure("day closed and paid after", time.monotonic() - died, "s")
            clients.wait_for(20)
            ended = time.monotonic()
        healed_s = agree(history, truth, eventually, ended, 60)
    run = ann.post("/reassignments")["id"]
    eventually(lambda: ann.get(f"/reassignments/{run}")["state"] == "done")

    assert history.count("failed") + history.count("unknown") == 0
    assert company.ended() == []
    figure("quiet after", healed_s, "s")
