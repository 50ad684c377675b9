"""Further copies of processes beside a stack's own, as a second host would run them."""

import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.stack import EXCHANGE, Stack, free_port


class Process:
    """`exchange …` with the stack's servers, its own figures and its own log."""

    def __init__(self, stack: Stack, *command: str, **env: str) -> None:
        self.name = "-".join(command)
        self.port, self.figures_port = free_port(), free_port()
        service = command[0].upper()
        url = f"http://127.0.0.1:{self.port}"
        address = {"GATEWAY_BIND": f"127.0.0.1:{self.port}"}
        address = address if service == "GATEWAY" else {f"{service}_URL": url}
        own = {"METRICS_BIND": f"127.0.0.1:{self.figures_port}", "EXCHANGE_LOG": "json"}
        self.log: Path = stack.folder / "logs" / f"second-{self.name}-{self.port}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [EXCHANGE, *command],
                env=stack.told() | address | own | env,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def figures(self) -> str:
        """What Prometheus would read."""
        address = f"http://127.0.0.1:{self.figures_port}/metrics"
        with urllib.request.urlopen(address, timeout=5) as answer:
            return str(answer.read().decode())

    def stop(self) -> int:
        """Told to end as any supervisor would; its exit code."""
        if self.process.poll() is None:
            os.kill(self.process.pid, 15)
        return self.process.wait(60)


@contextmanager
def beside(stack: Stack, *commands: str, **env: str) -> Iterator[dict[str, Process]]:
    """These processes run for the length of the block, each named like `tracker-relay`."""
    made = {name.replace(" ", "-"): Process(stack, *name.split(), **env) for name in commands}
    try:
        yield made
    finally:
        for process in made.values():
            process.stop()


def all_answer(processes: dict[str, Process]) -> bool:
    """Each of them shows its figures."""
    try:
        return all(process.figures() for process in processes.values())
    except urllib.error.URLError:
        return False
