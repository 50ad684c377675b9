"""The books come out the same in whatever order, and however often, the facts arrive."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from common import chance, stream
from common.config import Config
from common.service import services
from common.stream import Entry
from tests.conftest import Cast, Client, Ground

ACCOUNTING = next(service for service in services() if service.name == "accounting")
KEYS = (
    "SELECT kind, task_id, run_id, worker_id, amount_cents FROM report_transfers ORDER BY 1, 2, 3"
)
BALANCES = "SELECT worker_id, balance_cents FROM report_balances ORDER BY 1"


def history(ann: Client, people: dict[str, Client], moves: random.Random) -> None:
    """Tasks are added; some are completed, some withdrawn."""
    for number in range(30):
        task = ann.post("/tasks", {"title": f"Task {number}", "description": ""}).json
        if moves.random() < 0.5:
            assignee = people[task["assignee"]["id"]]
            assert assignee.post(f"/tasks/{task['id']}/completion").status_code == 200
        elif moves.random() < 0.5:
            assert ann.post(f"/tasks/{task['id']}/withdrawal").status_code == 200


def everything_said(settings: Config) -> list[Entry]:
    for service in services():
        if service.has_relay:
            service.relay(settings).drain()
    with stream.connect(settings.bus_url) as bus:
        names = [stream.name_of(producer) for producer in ACCOUNTING.listens]
        return [entry for name in names for entry in stream.entries(name, bus.xrange(name))]


def books_after(
    entries: list[Entry], ground: Ground, settings: Config, shuffle: random.Random
) -> Any:
    """What the books say when the entries came in batches of any size."""
    ground.restore()
    consumer = ACCOUNTING.consumer(settings)
    rest = list(entries)
    while rest:
        size = shuffle.randint(1, 20)
        consumer.handle(rest[:size])
        rest = rest[size:]
    return ACCOUNTING.primary().rows(KEYS), ACCOUNTING.primary().rows(BALANCES)


@pytest.mark.promise(4)
@pytest.mark.promise(23)
def test_order_and_repetition_change_nothing(
    cast: Cast,
    client: Callable[..., Client],
    settings: Config,
    grounds: list[Ground],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chance, "new_seed", lambda: bytes(32))
    ground = next(each for each in grounds if each.db is ACCOUNTING.primary())
    people = {str(who.id): client("tracker", who) for who in cast.dealt_to}
    history(client("tracker", cast.ann), people, random.Random(1))
    entries = everything_said(settings)

    as_it_was = books_after(entries, ground, settings, random.Random(0))
    for seed in range(1, 7):
        shuffle = random.Random(seed)
        mixed = entries + shuffle.sample(entries, len(entries) // 2)
        shuffle.shuffle(mixed)
        assert books_after(mixed, ground, settings, shuffle) == as_it_was, f"seed {seed}"

    transfers, balances = as_it_was
    keys = [(row["kind"], row["run_id"], row["task_id"]) for row in transfers]
    assert len(set(keys)) == len(keys) > 40
    assert sum(row["balance_cents"] for row in balances) == ACCOUNTING.primary().value(
        "SELECT sum(signed_cents) FROM report_transfers"
    )
