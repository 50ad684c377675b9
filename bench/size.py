"""A large company made, and its pages beside those of a small one, asked for by turns."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from bench import days, generate, pages, start
from bench.figures import Figure, timed
from bench.stack import running
from bench.world import World

SMALL_TASKS, SMALL_WORKERS, SMALL_TIMES, SMALL_LETTERS, SMALL_PAID = 10_000, 1_000, 9, 100, 1_000
FILLING = 17
# A p95 of 60 rests on three, and of thirty pages one has had bad luck: 1.7 times itself.
ROUNDS = 120


def small(world: World) -> list[Figure]:
    """10,000 open tasks and some 200,000 transfers are there.  Each list fills its page, that of
    the reassignments too, or a larger company would have more rows on it.
    """
    generate.people(world, SMALL_WORKERS)
    generate.redealt(world, FILLING)
    days.waiting(world, SMALL_LETTERS)
    generate.tasks(world, SMALL_TASKS)
    generate.redealt(world, SMALL_TIMES)
    world.settle()
    return []


def large(world: World) -> list[Figure]:
    """A hundred times as much is there, or ten times; the pages of both."""
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
    whole = took * transfers / (times * tasks)
    with beside() as doors:
        rounds = ROUNDS if world.is_full else ROUNDS // 4
        small_ones, large_ones = pages.visit([doors, pages.doors(world)], rounds)
    return [
        Figure("generator, transfers", f"{times * tasks:,} rows", rate, "rows/s"),
        Figure("generator, the whole company at that rate", size, whole, "s", reach="≤ 300",
               is_met=whole <= 300),
        *pages.compare(world, small_ones, large_ones, size),
    ]  # fmt: skip


@contextmanager
def beside() -> Iterator[pages.Doors]:
    """The pages of a small company on servers of its own, which are there until the block ends: the
    two are compared page by page, for a shared machine is not the same a quarter of an hour later.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    company = context.Process(target=make, args=(theirs,))
    company.start()
    theirs.close()  # or its end would not be seen here
    try:
        yield ours.recv()
    finally:
        ours.close()
        company.join()


def make(end: Connection) -> None:
    """A process of its own, for in each a service has one database: the small company is made and
    said, and gone when the other end is closed.
    """
    with running() as stack, suppress(EOFError):
        stack.start()
        world = World(stack, is_full=False)
        start.importing(world)
        small(world)
        days.pay(world, SMALL_PAID)
        world.settle()
        generate.rest(world)
        end.send(pages.doors(world))
        world.hang_up()
        end.recv()
