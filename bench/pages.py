"""Every page there is, asked for at a fixed rate."""

from bench.figures import Figure
from bench.load import Latencies, Visitor, at_rate, visits
from bench.world import World

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


def visit(world: World, rounds: int) -> Latencies:
    """Each page `rounds` times, at a fixed rate, after a round that does not count."""
    pages = paths(world)
    visitor = Visitor(world.fay)
    for path in pages:
        visitor.get(path)
    found = at_rate(RATE, visits(visitor, pages), lambda begun: begun == rounds * len(pages))
    if found.failures:
        raise RuntimeError(f"pages that did not answer 200: {sorted(set(found.failures))}")
    return found


def kind_of(path: str) -> str:
    """The page whatever the ids in its address."""
    head = path.partition("cursor=")[0]
    return "/".join("…" if len(part) > 30 else part for part in head.split("/"))


def compare(world: World, small: Latencies, large: Latencies, size: str) -> list[Figure]:
    """The page that got slowest of all, and all of them together."""
    before = {kind_of(path): small.p95_ms(path) for path in small.seconds}
    after = {kind_of(path): large.p95_ms(path) for path in large.seconds}
    world.notes["pages"] = {
        page: {"small_p95_ms": round(before[page], 2), "large_p95_ms": round(after[page], 2)}
        for page in after
        if page in before
    }
    worst = max((page for page in after if page in before), key=lambda p: after[p] / before[p])
    ratio = after[worst] / before[worst]
    return [
        Figure(f"slowest-growing page, p95: {worst}", size, after[worst], "ms", before[worst],
               "at 10,000 tasks", f"≤ {WORST_MAX:g} ×", ratio <= WORST_MAX),
        Figure("all pages, p95", size, large.p95_ms(), "ms", small.p95_ms(), "at 10,000 tasks"),
    ]  # fmt: skip
