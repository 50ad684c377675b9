"""Every page there is, asked for at a fixed rate."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from bench.figures import Figure
from bench.load import Latencies, Visitor, as_whom, at_rate
from bench.world import World

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RATE = 30.0
WORST_MAX = 1.5


def paths(world: World) -> list[str]:
    """One of each page an admin can open, filters and later pages among them.  The task is of the
    newest, which were dealt about as often in a small company as in a large one.
    """
    tracker, fay = world.db("tracker"), world.fay
    task = tracker.row("SELECT task_id, assignee_id FROM deal ORDER BY task_id DESC LIMIT 1")
    run = tracker.value("SELECT id FROM run WHERE kind = 'reassignment' ORDER BY id DESC LIMIT 1")
    assert task
    person = task["assignee_id"]
    found = [
        "/tasks", "/tasks?status=all", "/tasks?status=done", f"/tasks?assignee={person}",
        "/tasks?q=насос", "/tasks?q=修理+shop", "/tasks?q=ö", "/tasks?q=nothing-like-it",
        "/tasks?q=会議",
        f"/tasks/{task['task_id']}", "/tasks/new", "/reassignments", "/reassignments/new",
        "/earnings", f"/earnings/{person}", "/earnings/people", "/accounting", "/analytics",
        "/analytics/chart.svg", "/payout-runs", "/mail", "/events", "/users", f"/users/{person}",
        "/audit", "/account",
    ]  # fmt: skip
    found += [f"/reassignments/{run}"] if run else []
    for path, more in (("/tasks", "?"), (f"/earnings/{person}", "?")):
        following = fay.get(path)["next"]
        found += [f"{path}{more}cursor={following}"] if following else []
    return found


class Doors(NamedTuple):
    """Where a company's pages are, and as whom they are asked for."""

    address: str
    cookies: str
    paths: list[str]


def doors(world: World) -> Doors:
    return Doors(*as_whom(world.fay), paths(world))


def visit(companies: Sequence[Doors], rounds: int) -> list[Latencies]:
    """Every page that all the companies have, asked of each by turns, `rounds` times at a fixed
    rate, after a round that does not count; a company's pages are named as `kind_of` says.
    """
    visitors = [Visitor(company.address, company.cookies) for company in companies]
    pages = [{kind_of(path): path for path in company.paths} for company in companies]
    kinds = [kind for kind in pages[0] if all(kind in each for each in pages)]
    works = [
        (f"{number} {kind}", visitor.opens(pages[number][kind]))
        for kind in kinds
        for number, visitor in enumerate(visitors)
    ]
    for _, work in works:
        work()
    found = at_rate(RATE, works, lambda begun: begun == rounds * len(works))
    if found.failures:
        raise RuntimeError(f"pages that did not answer 200: {sorted(set(found.failures))}")
    return [
        Latencies({kind: found.seconds[f"{number} {kind}"] for kind in kinds})
        for number in range(len(companies))
    ]


def kind_of(path: str) -> str:
    """The page whatever the ids in its address."""
    head, cursor, _ = path.partition("cursor=")
    return ID.sub("…", head) + cursor


def compare(world: World, small: Latencies, large: Latencies, size: str) -> list[Figure]:
    """The page that got slowest of all, and all of them together."""
    before = {page: small.p95_ms(page) for page in small.seconds}
    after = {page: large.p95_ms(page) for page in large.seconds}
    world.notes["pages"] = {
        page: {"small_p95_ms": round(before[page], 2), "large_p95_ms": round(after[page], 2)}
        for page in after
    }
    worst = max(after, key=lambda page: after[page] / before[page])
    ratio = after[worst] / before[worst]
    return [
        Figure(f"slowest-growing page, p95: {worst}", size, after[worst], "ms", before[worst],
               "at 10,000 tasks", f"≤ {WORST_MAX:g} ×", ratio <= WORST_MAX),
        Figure("all pages, p95", size, large.p95_ms(), "ms", small.p95_ms(), "at 10,000 tasks"),
    ]  # fmt: skip
