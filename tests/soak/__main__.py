"""`make soak MINUTES=60 SEED=7`: a random mix of work and faults on a real stack, and whether the
databases agree with what the clients were told.
"""

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.history import Truth
from tests.soak.breaker import Breaker
from tests.soak.clients import at_work
from tests.soak.compare import arrived, differences, wait_for_quiet
from tests.soak.faults import ALONE, chosen
from tests.soak.world import World, world

ROUND_S = 75
GAP_S = 7.0
QUIET_S = 150
SHOWN_MAX = 40


class Soak:
    """Rounds of work under faults, each healed and compared."""

    def __init__(self, seed: int, world: World) -> None:
        self.seed, self.world = seed, world
        self.began = time.monotonic()
        self.faults: Counter[str] = Counter()
        self.quiet_s: list[float] = []

    def say(self, text: str) -> None:
        passed = int(time.monotonic() - self.began)
        print(f"{passed // 60:3}:{passed % 60:02}  {text}", flush=True)

    def round(self, number: int, seconds: float) -> list[str]:
        """What was found to differ."""
        seed = f"{self.seed}.{number}"
        self.say(f"round {number}, seed {seed}")
        breaker = Breaker(self.world.stack, random.Random(seed))
        with at_work(self.world, seed) as clients:
            self.break_things(breaker, seconds)
            found = [
                f"client {one.name} ended of an error" for one in clients if not one.is_alive()
            ]
        found += [f"client {one.name} still waits" for one in clients if one.is_alive()]
        breaker.mend()
        found += [f"{name} does not run" for name in breaker.missing()]
        return found + self.compared()

    def break_things(self, breaker: Breaker, seconds: float) -> None:
        """Faults one after the other, some of them beside each other, for that long."""
        end = time.monotonic() + seconds
        beside: list[threading.Thread] = []
        while time.monotonic() < end:
            time.sleep(breaker.chance.uniform(0.5, GAP_S))
            fault = chosen(breaker)
            # Each has chance of its own, so that it matters not which of two comes first.
            one = Breaker(breaker.stack, random.Random(breaker.chance.getrandbits(64)))
            if fault in ALONE:
                for thread in beside:
                    thread.join()
            elif breaker.chance.random() < 0.3:
                beside.append(threading.Thread(target=self.do, args=(one, fault)))
                beside[-1].start()
                continue
            self.do(one, fault)
        for thread in beside:
            thread.join()

    def do(self, breaker: Breaker, fault: Any) -> None:
        try:
            with fault(breaker) as done:
                self.say(f"  {done}")
                self.faults[fault.__name__] += 1
        except Exception as error:
            # What is to be broken may be broken already.
            sentence = (str(error).strip().splitlines() or [""])[0]
            self.say(f"  {fault.__name__} could not be done: {type(error).__name__} {sentence}")

    def compared(self) -> list[str]:
        truth = Truth(self.world.stack)
        try:
            took_s, stuck = wait_for_quiet(self.world, truth, QUIET_S)
            self.quiet_s.append(took_s)
            if stuck:
                return [f"stuck after {took_s:.0f} s: {each}" for each in stuck]
            found = list(differences(self.world, truth))
            try:
                self.world.stack.run("ledger", "verify")
            except RuntimeError as error:
                found.append(str(error))
            outcome = f"{len(found)} differences" if found else "nothing differs"
            self.say(f"  quiet after {took_s:.1f} s, {history_of(self.world)}; {outcome}")
            return found
        finally:
            truth.close()

    def summary(self) -> None:
        history = self.world.history
        print(f"\n{'operation':22}{'ok':>8}{'failed':>8}{'unknown':>8}")
        for what in sorted({what for what, _ in history.counts}):
            row = [history.counts[what, outcome] for outcome in ("ok", "failed", "unknown")]
            print(f"{what:22}" + "".join(f"{count:8,}" for count in row))
        print(f"\n{'fault':22}{'times':>8}")
        for name, count in sorted(self.faults.items()):
            print(f"{name.replace('_', ' '):22}{count:8,}")
        letters = arrived(self.world.stack.folder / "inbox")
        print(
            f"\n{len(letters):,} letters arrived, {letters.total() - len(letters):,} of them again"
        )
        print(
            f"{len(self.quiet_s)} rounds, quiet after {max(self.quiet_s, default=0):.1f} s at most"
        )


def history_of(world: World) -> str:
    counts = world.history.total
    return f"{counts():,} operations so far, {counts('unknown'):,} of unknown outcome"


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=60)
    asked.add_argument("--seed", type=int, default=random.randrange(10_000))
    asked.add_argument("--round", type=int, default=1, help="begin with the faults of this round")
    given = asked.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="exchange-soak-"))
    found: list[str] = []
    with world(folder) as made:
        soak = Soak(given.seed, made)
        soak.say(f"seed {given.seed}, {given.minutes:g} minutes, {made.stack.url}, {folder}")
        number, end = given.round, soak.began + 60 * given.minutes
        with suppress(KeyboardInterrupt):
            while not found and time.monotonic() < end:
                found = soak.round(number, min(ROUND_S, max(5.0, end - time.monotonic())))
                number += 1
        soak.summary()
    if found:
        print(f"\nround {number - 1} of seed {given.seed}: {len(found)} differences; see {folder}")
        print("\n".join(found[:SHOWN_MAX]))
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print("\nNothing was lost, doubled or stuck.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
