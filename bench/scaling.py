"""Which part is busy at how much work, as a table: `python -m bench.scaling`.

Each part is a queue before as many equal cores as it needs; work arrives by chance (Poisson) at the
rate of the day's peak and takes as much processor time as was measured, one click after another, on
an idle stack.  Waiting follows from Erlang's C.  What waits for a lock or a disk is not in it.
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
    """Processor time in ms for a page, for adding a task, for completing one; events and all."""

    name: str
    page: float
    addition: float
    completion: float


# Measured with psutil over 300 pages, 200 additions, 200 completions (2026-11-22, 2 shared cores).
PARTS = (
    Part("gateway web", 2.3, 3.6, 3.4),
    Part("tracker web", 3.9, 5.3, 4.5),
    Part("PostgreSQL, primary", 0.9, 16.2, 7.2),
    Part("PostgreSQL, standby", 1.3, 2.0, 0.8),
    Part("relays", 0.0, 5.8, 2.7),
    Part("consumers", 0.0, 6.1, 1.7),
    Part("Redis", 0.2, 1.5, 0.6),
)


def rates(factor: int) -> tuple[float, float, float]:
    """Pages, additions and completions a second at the peak."""
    a_second = PEOPLE * factor * PEAK / WORKING_S
    return PAGES_A_DAY * a_second, TASKS_A_DAY * a_second, TASKS_A_DAY * a_second


def busy_cores(part: Part, factor: int) -> float:
    """How many cores the part keeps busy."""
    return sum(rate * ms for rate, ms in zip(rates(factor), part[1:], strict=True)) / 1000


def cores(busy: float) -> int:
    return max(1, math.ceil(busy / BUSY_MAX))


def chance_to_wait(busy: float, servers: int) -> float:
    """Erlang's C."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = busy * blocked / (n + busy * blocked)
    return blocked / (1 - busy / servers * (1 - blocked))


def wait_p99_ms(part: Part, factor: int) -> float:
    """99 of 100 wait no longer than this, if times are exponential."""
    busy = busy_cores(part, factor)
    served = sum(rate for rate, ms in zip(rates(factor), part[1:], strict=True) if ms)
    queued = chance_to_wait(busy, cores(busy))
    if queued <= 0.01:
        return 0.0
    return busy * 1000 / served / (cores(busy) - busy) * math.log(queued / 0.01)


def line(part: Part) -> str:
    cells = [
        f"{busy_cores(part, f):.2f} of {cores(busy_cores(part, f))}, {wait_p99_ms(part, f):.0f} ms"
        for f in FACTORS
    ]
    return f"| {part.name} | " + " | ".join(cells) + " |"


def table() -> str:
    heads = [f"{PEOPLE * factor:,} people" for factor in FACTORS]
    loads = [f"{sum(rates(factor)):,.0f} requests/s" for factor in FACTORS]
    rule = "|---" * (1 + len(FACTORS)) + "|"
    rows = [" | ".join(["| busy cores, wait p99", *heads]) + " |", rule]
    rows += [" | ".join(["| at the peak", *loads]) + " |", *map(line, PARTS)]
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
