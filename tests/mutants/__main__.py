"""`make mutants`: breaks one mechanism after the other and shows that its tests notice."""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants import ALL
from tests.mutants.mutant import Mutant, red_already
from tests.promises import proofs
from tests.sources import copy_to

SIDE_BY_SIDE = 2


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("words", nargs="*", help="only mutants whose name has one of these")
    words = asked.parse_args().words
    chosen = [one for one in ALL if not words or any(word in one.name for word in words)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        sources = copy_to(folder / "sources")
        tests = sorted({test for one in chosen for test in one.tests})
        if red := red_already(tests, sources, folder / "whole"):
            print("With nothing broken these fail already:", *red, sep="\n  ")
            return 1
        print(
            f"{len(tests)} tests are green with nothing broken; now one mechanism at a time:",
            flush=True,
        )
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            copies = [folder / str(n) for n in range(len(chosen))]
            tried = pool.map(judged, chosen, [sources] * len(chosen), copies)
            good = [show(one, verdict) for one, verdict in zip(chosen, tried, strict=True)]
    print(
        f"\n{sum(good)} of {len(good)} mutants were noticed, in {time.monotonic() - began:.0f} s."
    )
    return 0 if all(good) else 1


def judged(mutant: Mutant, sources: Path, folder: Path) -> str:
    """Empty if all of its tests went red, or what did not."""
    if misfit := mutant.misfit(sources):
        return f"does not apply: {misfit}"
    survived = mutant.survived(sources, folder)
    return f"green: {', '.join(survived)}" if survived else ""


def show(mutant: Mutant, verdict: str) -> bool:
    promises = sorted(number for number, tests in proofs().items()
                      if any(f"tests/{test}" in tests for test in mutant.tests))  # fmt: skip
    rests = f" (promise {', '.join(map(str, promises))})" if promises else ""
    print(f"{'red  ' if not verdict else 'GREEN'}  {mutant.name}{rests}", flush=True)
    if verdict:
        print(f"       {verdict}", flush=True)
    return not verdict


if __name__ == "__main__":
    sys.exit(main())
