"""A long run waits for a standby that has fallen behind, but not for ever."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from bench.figures import timed
from common.config import Config
from common.stack.postgres import Postgres
from common.stack.state import State
from common.store import Store
from tests.conftest import Cast
from tests.tracker.conftest import asked, many, run_row
from tracker import jobs, pace
from tracker.models import primary, store
from tracker.pace import Pace

NOWHERE = "postgresql://nobody:x@127.0.0.1:1/nothing"


@contextmanager
def replay_paused(settings: Config) -> Iterator[None]:
    """The standby receives what happens and does not show it."""
    state = State.at(settings.need("EXCHANGE_STATE"))
    with closing(Postgres(state, state.standby).connect()) as standby, standby.cursor() as cursor:
        cursor.execute("SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_wal_replay_resume()")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "BEHIND_S", 0.1)
    monkeypatch.setattr(pace, "REST_MAX_S", 0.5)


def test_a_standby_that_keeps_up_is_not_waited_for(
    cast: Cast, hasty: None, replayed: Callable[[], None]
) -> None:
    many(10, cast.ann)
    replayed()

    assert not Pace(store).is_behind()


def test_a_run_slows_down_while_the_standby_is_behind(
    cast: Cast, hasty: None, settings: Config, replayed: Callable[[], None]
) -> None:
    many(10, cast.ann)
    replayed()
    run_id = asked(cast.ann)

    with replay_paused(settings):
        primary.execute_sql("SELECT txid_current()")
        time.sleep(0.2)
        took_behind = timed(jobs.tick)

    # One rest behind the start, one behind the only batch.
    assert took_behind >= 1.0
    assert run_row(run_id)["state"] == "done"
    replayed()
    assert not Pace(store).is_behind()


def test_a_standby_that_is_gone_holds_nothing_up(hasty: None) -> None:
    lonely = Store("tracker")
    lonely.replica.open(NOWHERE)
    found = Pace(lonely)

    took = timed(lambda: [found.rest() for _ in range(20)])

    assert took < 1.0
