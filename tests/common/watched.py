"""Servers of a bus or a queue that a test may kill: one, or two with three sentinels."""

import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import redis

from bench.stack import free_port
from common.stack.servers import valkey_program

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

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

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
        self.processes.append(started(self.folder / str(port), port, *lines, sentinel=sentinel))

    def server(self, port: int) -> redis.Redis:
        return redis.Redis(port=port, password=PASSWORD)

    def kill_master(self) -> None:
        self.processes[0].kill()

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def started(folder: Path, port: int, *lines: str, sentinel: bool = False) -> subprocess.Popen:
    """A server with these settings that takes connections, on what is in the folder already."""
    folder.mkdir(exist_ok=True)
    settings = folder / "settings.conf"
    settings.write_text("\n".join([f"port {port}", f'dir "{folder}"', *lines, ""]))
    command = [valkey_program(), str(settings), *(["--sentinel"] if sentinel else [])]
    with (folder / "log").open("w") as log:
        made = subprocess.Popen(command, stdout=log, stderr=log)
    until(lambda: listens(port))
    return made


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
