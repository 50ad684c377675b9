"""Workers and schedulers while their queue comes and goes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from rq import Queue, Worker

from bench.stack import free_port
from common.config import Config
from tests.common.watched import started, until

EXCHANGE = Path(sys.executable).with_name("exchange")


class Place:
    """A queue's server that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        self.server = started(self.folder, self.port, "appendonly yes", "appendfsync always")

    def kill(self) -> None:
        self.server.kill()
        self.server.wait()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.kill()


@pytest.fixture
def process(settings: Config, place: Place) -> Iterator[Callable]:
    """`process("tracker", "work")` runs, with its queue at that place."""
    made = []

    def start(*words: str) -> subprocess.Popen:
        made.append(subprocess.Popen([EXCHANGE, *words], env=os.environ | {"QUEUE_URL": place.url}))
        return made[-1]

    yield start
    for each in made:
        each.kill()
        each.wait()


def test_a_worker_goes_on_when_its_queue_is_back(place: Place, process: Callable) -> None:
    process("tracker", "work")
    until(lambda: Worker.count(connection=place.client))
    place.kill()
    place.start()

    job = Queue("tracker", connection=place.client).enqueue_call("common.clock.now", result_ttl=60)

    until(lambda: job.is_finished, 10)


def test_who_is_told_to_end_does_so_without_the_queue(place: Place, process: Callable) -> None:
    told = [process("tracker", "work"), process("schedule")]
    until(lambda: Worker.count(connection=place.client))
    until(lambda: place.client.keys("rq:scheduler_instance:*"))

    place.kill()
    for each in told:
        each.terminate()

    assert [each.wait(10) for each in told] == [0, 0]
