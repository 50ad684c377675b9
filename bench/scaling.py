"""Which part is busy at how much work: `python -m bench.scaling`.

Each part is a queue with so many equal copies.  Arrivals are Poisson at the peak of the day; what a
unit of work costs was measured (docs/performance.md, docs/scaling.md).  Waiting follows from
Erlang's C, so nothing here is true of a part whose copies wait for one another.
"""

import math
from typing import NamedTuple

PEOPLE = 1000
TASKS_A_DAY = 10
PAGES_A_DAY = 60
WORKING_S = 8 * 3600
PEAK = 3.0
BUSY_MAX = 0.6
FACTORS = (1, 10, 100, 1000)


class Part(NamedTuple):
    """Something work waits for, `cost_ms` a unit; `share` units a page, an addition, a completion."""

    name: str
    cost_ms: float
    page: float
    addition: float
    completion: float


def rates(factor: int) -> tuple[float, float, float]:
    """Pages, additions and completions a second at the peak."""
    people = PEOPLE * factor
    tasks = people * TASKS_A_DAY * PEAK / WORKING_S
    return people * PAGES_A_DAY * PEAK / WORKING_S, tasks, tasks


def load(part: Part, factor: int) -> float:
    """How many copies of the part would be busy all the time."""
    pages, additions, completions = rates(factor)
    units = part.page * pages + part.addition * additions + part.completion * completions
    return units * part.cost_ms / 1000


def copies(busy: float) -> int:
    return max(1, math.ceil(busy / BUSY_MAX))


def waiting(busy: float, servers: int) -> float:
    """Erlang's C: how likely a unit has to wait."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = busy * blocked / (n + busy * blocked)
    return blocked / (1 - busy / servers * (1 - blocked))


def wait_p99_ms(part: Part, busy: float, servers: int) -> float:
    """99 of 100 units wait no longer, if service times are exponential."""
    queued = waiting(busy, servers)
    if queued <= 0.01:
        return 0.0
    return part.cost_ms / (servers - busy) * math.log(queued / 0.01)


def line(part: Part) -> str:
    cells = []
    for factor in FACTORS:
        busy = load(part, factor)
        servers = copies(busy)
        cells.append(f"{busy:.2f} → {servers}, {wait_p99_ms(part, busy, servers):.0f} ms")
    return f"| {part.name} | {part.cost_ms} | " + " | ".join(cells) + " |"


def table(parts: list[Part]) -> str:
    head = "| part | ms a unit | " + " | ".join(f"{factor:,}×" for factor in FACTORS) + " |"
    return "\n".join([head, "|---" * (2 + len(FACTORS)) + "|", *map(line, parts)])
