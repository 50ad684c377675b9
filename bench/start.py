"""A stack that starts, what it weighs, and the first file of tasks."""

import contextlib
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure, timed
from bench.stack import Stack
from bench.world import World, family

BACKLOG = Path(__file__).parent / "data" / "backlog.csv"


def ready(stack: Stack) -> list[Figure]:
    """From `exchange up` to a gateway that is ready: first start, and one with data there."""
    first = stack.start()
    stack.stop()
    again = stack.start()
    return [
        Figure("stack ready, first start", "migrations too", first, "s"),
        Figure("stack ready", "later start", again, "s", reach="≤ 10", is_met=again <= 10),
        memory(stack, "memory of the stack (PSS), idle", 900),
    ]


def importing(world: World) -> list[Figure]:
    """The backlog through the form."""
    content = BACKLOG.read_bytes()
    report = []
    took = timed(lambda: report.append(world.ann.upload("/tasks/import", "file", content)))
    count = report[0]["added"] + len(report[0]["refused"])
    return [Figure("import through the form", f"{count:,} rows", took, "s")]


def memory(stack: Stack, name: str, most_mb: int, notes: dict[str, Any] | None = None) -> Figure:
    """Proportional set size of the whole stack, servers included; of each part in the notes."""
    status = stack.status()
    parts = {row["name"]: family({row["pid"]}) for row in status["processes"] + status["servers"]}
    parts["supervisor"] = [psutil.Process(stack.process.pid)]
    weights = {part: pss_mb(processes) for part, processes in parts.items()}
    if notes is not None:
        notes["memory_mb"] = {part: round(mb) for part, mb in weights.items()}
    mb, count = sum(weights.values()), sum(map(len, parts.values()))
    return Figure(name, f"{count} processes", mb, "MB", reach=f"≤ {most_mb:,}",
                  is_met=mb <= most_mb)  # fmt: skip


def pss_mb(processes: list[psutil.Process]) -> float:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return float(total / 2**20)
