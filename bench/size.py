"""Pages of a large company beside those of a small one, and a large company made."""

from bench import days, generate, pages
from bench.figures import Figure, timed
from bench.load import Latencies
from bench.world import World

SMALL_TASKS, SMALL_WORKERS, SMALL_TIMES, SMALL_LETTERS = 10_000, 1_000, 9, 100
FILLING = 17
# A p95 of 60 rests on three, and of thirty pages one has had bad luck: 1.7 times itself.
ROUNDS = 120


def small(world: World) -> Latencies:
    """The pages with 10,000 open tasks and some 200,000 transfers.  Each list fills its page, that
    of the reassignments too, or a larger company would have more rows on it.
    """
    generate.people(world, SMALL_WORKERS)
    generate.redealt(world, FILLING)
    days.waiting(world, SMALL_LETTERS)
    generate.tasks(world, SMALL_TASKS)
    generate.redealt(world, SMALL_TIMES)
    world.settle()
    return pages.visit(world, ROUNDS if world.is_full else ROUNDS // 4)


def large(world: World, before: Latencies) -> list[Figure]:
    """The same pages when there is a hundred times as much, or ten times."""
    wanted = 10_000_000 if world.is_full else 1_000_000
    tracker, accounting = world.db("tracker"), world.db("accounting")
    tasks = tracker.value("SELECT count(*) FROM deal")
    there = accounting.value("SELECT count(*) FROM transfer")
    times = max(1, -(-(wanted - there) // tasks))
    took = timed(lambda: generate.redealt(world, times))
    world.settle(600)
    transfers = accounting.value("SELECT count(*) FROM transfer")
    size = f"{tasks:,} tasks, {transfers:,} transfers"
    rate = times * tasks / took
    after = pages.visit(world, ROUNDS if world.is_full else ROUNDS // 4)
    whole = took * transfers / (times * tasks)
    return [
        Figure("generator, transfers", f"{times * tasks:,} rows", rate, "rows/s"),
        Figure("generator, the whole company at that rate", size, whole, "s", reach="≤ 300",
               is_met=whole <= 300),
        *pages.compare(world, before, after, size),
    ]  # fmt: skip
