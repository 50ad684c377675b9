"""What breaks, by weight."""

from collections.abc import Callable
from typing import Any

from tests.soak import machines, wires
from tests.soak.breaker import Breaker

FAULTS: tuple[tuple[int, Callable[[Breaker], Any]], ...] = (
    (8, machines.kill),
    (4, machines.kill_server),
    (5, machines.freeze),
    (3, machines.freeze_server),
    (3, machines.stop_server),
    (2, machines.pause_replay),
    (2, machines.cut_connections),
    (4, wires.lose_bus),
    (1, wires.truncate),
    (3, wires.say_again),
    (3, wires.poison),
    (2, machines.another_process),
    (2, machines.orphan),
    (2, wires.drop_replies),
    (2, wires.cut_commits),
    (2, machines.promote),
    (3, machines.pass_days),
)
ALONE = (machines.promote,)  # with the primary also killed, what was acknowledged would be gone


def chosen(breaker: Breaker) -> Any:
    """The next fault, by weight."""
    weights = [weight for weight, _ in FAULTS]
    [(_, fault)] = breaker.chance.choices(FAULTS, weights)
    return fault
