"""Three sentinels, two servers: the bus and the queue find the new master by themselves."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested

from common import jobs, stream
from common.config import Config
from tests.common.watched import Watched, until
from tests.common.wire import Wire, eventually, fact, running


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with Watched(tmp_path) as made:
        yield made


def test_a_failover_under_load_loses_nothing(
    watched: Watched, wire: Wire, settings: Config
) -> None:
    bus = Config({**settings.env, "BUS_URL": watched.url})
    there = Wire(bus)

    with running(there.relay, there.make_consumer(bus, there.keep)):
        for number in range(300):
            there.say(fact(number))
            if number == 100:
                eventually(lambda: len(there.heard()) > 50)
                watched.kill_master()
            time.sleep(0.01)
        eventually(lambda: len(there.heard()) >= 300, 60)

    assert there.heard() == list(range(300))


def test_the_queue_finds_its_new_master(watched: Watched, settings: Config) -> None:
    connection = jobs.connect(watched.url)
    queue = Queue("tracker", connection=connection)
    queue.enqueue_call("common.clock.now", result_ttl=60)
    worker = SimpleWorker([queue], connection=connection)
    assert worker.work(burst=True, logging_level="ERROR")

    watched.kill_master()
    until(lambda: stream.client(watched.url, socket_timeout=1).info()["role"] == "master", 60)
    after = queue.enqueue_call("common.clock.now", result_ttl=60)

    assert SimpleWorker([queue], connection=connection).work(burst=True, logging_level="ERROR")
    assert after.is_finished


def test_a_reply_that_was_not_waited_for_is_not_the_next_ones(watched: Watched) -> None:
    def told_to_end(*_: object) -> None:
        raise StopRequested

    connection = stream.client(watched.url)
    before = signal.signal(signal.SIGALRM, told_to_end)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(StopRequested):
        connection.blpop("nothing", timeout=2)
    signal.signal(signal.SIGALRM, before)
    asked = time.monotonic()

    assert connection.echo("anybody?") == b"anybody?"
    assert time.monotonic() - asked < 1
