"""`python -m bench [--full]`: one table, and the same as JSON with a chart under build/bench/."""

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Sequence

from bench import bus, chart, days, gateway, reassign, size, start, tasks
from bench.figures import FOLDER, Figure, machine, row, save, table
from bench.stack import running
from bench.world import World
from common.db import deadline

PSS_AFTER_MB = 1229
STATEMENT_S = 900


class Bench:
    """Measures one after the other; one that fails costs no other its result."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.failures: dict[str, str] = {}
        self.about = machine()

    def measure(self, name: str, work: Callable[[], Sequence[Figure]]) -> None:
        print(f"… {name}", file=sys.stderr, flush=True)
        began = time.monotonic()
        try:
            with deadline(STATEMENT_S):
                found = work()
        except Exception as error:
            self.failures[name] = f"{type(error).__name__}: {error}"
            traceback.print_exc()
            found = []
        self.figures += found
        self.about[f"{name}, s"] = round(time.monotonic() - began, 1)
        for figure in found:
            print(row(figure), file=sys.stderr, flush=True)
        save(self.figures, self.failures, self.about)


def run(bench: Bench, is_full: bool) -> None:
    bench.measure("bus", lambda: bus.measure(is_full))
    with running() as stack:
        bench.measure("start", lambda: start.ready(stack))
        world = World(stack, is_full)
        bench.about["notes"] = world.notes
        bench.measure("people", lambda: arrived(world))
        bench.measure("import", lambda: start.importing(world))
        bench.measure("gateway", lambda: gateway.measure(world))
        bench.measure("tasks", lambda: tasks.measure(world))
        bench.measure("small company", lambda: size.small(world))
        bench.measure("reassign", lambda: reassign.measure(world))
        bench.measure("days", lambda: days.measure(world))
        bench.measure("large pages", lambda: size.large(world))
        bench.measure("memory", lambda: weighed(world))
        bench.measure("verify", lambda: verify(world))
        bench.measure("chart", lambda: drawn(world))


def arrived(world: World) -> list[Figure]:
    """Everybody the other measures need is there and signed in."""
    world.notes["signed in"] = list(world.people)
    return []


def weighed(world: World) -> list[Figure]:
    """What the stack weighs now, without the server processes that worked for the bench."""
    world.hang_up()
    return [start.memory(world.stack, "memory of the stack (PSS), after all", PSS_AFTER_MB,
                         world.notes)]  # fmt: skip


def drawn(world: World) -> list[Figure]:
    """The chart is beside the JSON."""
    chart.draw(world.notes["reassign_s"], FOLDER / "reassign.svg")
    return []


def verify(world: World) -> list[Figure]:
    """The books agree after all that.  Raises RuntimeError if they do not."""
    world.notes["ledger"] = world.stack.run("ledger", "verify").strip()
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a million tasks")
    bench = Bench()
    try:
        run(bench, parser.parse_args().full)
    finally:
        print(table(bench.figures))
        for name, sentence in bench.failures.items():
            print(f"\n{name} could not be measured: {sentence}")
    if bench.failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
