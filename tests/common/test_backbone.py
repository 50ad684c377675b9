"""A fact's way from outbox to inbox, with everything on it that may go wrong in one process."""

from uuid import UUID

import pytest

from common import bus_status, dead, stream
from common.config import Config
from common.db import Server
from common.errors import Conflict, NotFound
from common.events import TaskCompleted
from common.relay import backlog
from tests.common.wire import COMPLETED, NOON, TASK, WORKER, Wire


def test_a_fact_arrives_once_it_is_committed(wire: Wire) -> None:
    wire.say(COMPLETED)

    wire.relay.drain()
    wire.consumer.drain()

    assert wire.effects == [COMPLETED]
    assert backlog(wire.primary) == (0, 0.0)


def test_a_fact_rolled_back_is_never_published(wire: Wire) -> None:
    def fail_after_saying() -> None:
        with wire.primary.atomic():
            wire.outbox.add(COMPLETED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_saying()

    assert wire.relay.drain() == 0


def test_a_fact_outside_a_transaction_is_refused(wire: Wire) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        wire.outbox.add(COMPLETED)


def test_facts_of_a_transaction_keep_their_order(wire: Wire) -> None:
    facts = [
        TaskCompleted(task_id=UUID(int=n), assignee_id=WORKER, completed_at=NOON)
        for n in range(1, 2501)
    ]

    wire.say(*facts)
    wire.relay.drain()
    wire.consumer.drain()

    assert wire.effects == facts


def test_what_is_published_twice_has_its_effect_once(wire: Wire) -> None:
    wire.say(COMPLETED)
    wire.relay.drain()
    wire.primary.run("UPDATE outbox SET published_at = NULL")

    wire.relay.drain()
    wire.consumer.drain()

    assert wire.bus.xlen("events:tests") == 2
    assert wire.effects == [COMPLETED]


def test_a_crash_between_commit_and_ack_does_nothing_twice(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.say(COMPLETED)
    wire.relay.drain()
    stream.ensure_groups(wire.bus, wire.consumer.streams, "listener")
    monkeypatch.setattr(stream, "ack", lambda *_: None)
    wire.consumer.run_once()
    monkeypatch.undo()

    wire.consumer.drain()

    assert wire.effects == [COMPLETED]
    assert bus_status.lags(wire.bus)[0]["pending"] == 0


def test_an_emptied_bus_gets_everything_again(wire: Wire) -> None:
    wire.say(COMPLETED)
    wire.relay.drain()
    wire.bus.flushall()

    wire.relay.drain()
    wire.consumer.drain()

    assert wire.effects == [COMPLETED]


def test_a_second_relay_stands_by(wire: Wire, settings: Config) -> None:
    wire.say(COMPLETED)
    other = Server(None)
    other.open(settings.database_url("tracker"))

    with other.atomic():
        other.value("SELECT pg_try_advisory_xact_lock(hashtext('relay'))")
        published = wire.relay.run_once()
    other.close_quietly()

    assert published == 0
    assert wire.relay.run_once() == 1


def test_an_unreadable_entry_is_buried_and_blocks_nobody(wire: Wire) -> None:
    stream.publish(wire.bus, "events:tests", ["{not json", ""])
    wire.say(COMPLETED)
    wire.relay.drain()

    wire.consumer.drain()

    assert wire.effects == [COMPLETED]
    assert [letter["event"] for letter in wire.dead_letters()] == ["{not json", ""]
    assert "not an event envelope" in wire.dead_letters()[0]["error"]


def poison(events: list[TaskCompleted]) -> None:
    if any(event.task_id == TASK for event in events):
        raise ValueError("no such task")


def test_only_the_poison_of_a_batch_is_buried_after_three_tries(
    wire: Wire, settings: Config
) -> None:
    good = [
        TaskCompleted(task_id=UUID(int=n), assignee_id=WORKER, completed_at=NOON) for n in (1, 2, 3)
    ]
    done: list[TaskCompleted] = []
    consumer = wire.make_consumer(settings, lambda events: (poison(events), done.extend(events)))
    wire.say(good[0], COMPLETED, *good[1:])
    wire.relay.drain()

    for _ in range(3):
        consumer.drain()

    assert done == good
    [letter] = wire.dead_letters()
    assert letter["deliveries"] == 3
    assert letter["error"] == "ValueError: no such task"
    assert "poison" in letter["trace"]


def buried(wire: Wire) -> UUID:
    consumer = wire.consumer
    consumer.handlers = {TaskCompleted: poison}
    wire.say(COMPLETED)
    wire.relay.drain()
    for _ in range(3):
        consumer.drain()
    return wire.dead_letters()[0]["id"]


@pytest.mark.promise(13)
def test_a_redriven_letter_has_its_effect_once(wire: Wire) -> None:
    dead_id = buried(wire)
    mended = {TaskCompleted: wire.effects.extend}

    dead.redrive(wire.primary, dead_id, mended, by="Fay")
    with pytest.raises(NotFound):
        dead.redrive(wire.primary, dead_id, mended, by="Fay")

    assert wire.effects == [COMPLETED]
    assert wire.dead_letters() == []


def test_a_letter_that_fails_again_stays(wire: Wire) -> None:
    dead_id = buried(wire)

    with pytest.raises(Conflict, match="no such task"):
        dead.redrive(wire.primary, dead_id, {TaskCompleted: poison}, by="Fay")

    assert len(wire.dead_letters()) == 1


def test_a_discarded_letter_leaves_its_reason(wire: Wire) -> None:
    dead_id = buried(wire)

    dead.discard(wire.primary, dead_id, reason="a test", by="Fay")

    assert wire.dead_letters() == []
    assert wire.primary.value("SELECT reason FROM discarded_letter") == "a test"


def test_entries_of_a_dead_consumer_are_taken_over(
    wire: Wire, settings: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.say(COMPLETED)
    wire.relay.drain()
    stream.ensure_groups(wire.bus, ["events:tests"], "listener")
    stream.read(wire.bus, "listener", "the-dead-one", ["events:tests"], 10, own=False)
    monkeypatch.setattr("common.consume.CLAIM_IDLE_MS", 0)

    wire.consumer.drain()

    assert wire.effects == [COMPLETED]


def test_a_group_that_was_lost_reads_from_the_beginning(wire: Wire) -> None:
    wire.say(COMPLETED)
    wire.relay.drain()
    wire.consumer.drain()
    wire.bus.xgroup_destroy("events:tests", "listener")
    wire.say(TaskCompleted(task_id=UUID(int=1), assignee_id=WORKER, completed_at=NOON))
    wire.relay.drain()

    wire.consumer.drain()

    assert len(wire.effects) == 2


def test_lag_counts_what_is_not_read_and_what_is_not_acknowledged(wire: Wire) -> None:
    wire.say(COMPLETED, COMPLETED, COMPLETED)
    wire.relay.drain()
    stream.ensure_groups(wire.bus, ["events:tests"], "listener")
    stream.read(wire.bus, "listener", "slow", ["events:tests"], 1, own=False)

    [row] = bus_status.lags(wire.bus)

    assert (row["stream"], row["group"]) == ("events:tests", "listener")
    assert (row["lag"], row["pending"]) == (2, 1)
    assert row["oldest_s"] >= 0
