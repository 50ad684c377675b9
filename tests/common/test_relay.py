"""What the relay promises when writers, the bus or groups misbehave."""

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis

from common import clock, stream
from common.config import Config
from common.db import Server
from common.relay import Relay, backlog, republish
from tests.common.wire import GROUP, STREAM, Wire, eventually, fact, running
from tests.faults.proxy import Proxy
from tests.promises import Figure

LAG_P99 = """
    SELECT percentile_disc(0.99) WITHIN GROUP (ORDER BY
        split_part(entry_id, '-', 1)::bigint / 1000.0 - extract(epoch FROM created_at)) FROM outbox
"""


class Undone(Exception):
    """What a writer raises to roll back."""


def write(wire: Wire, numbers: range, seed: int) -> None:
    """A transaction a number, each open for a moment, one in five rolled back."""
    chance = random.Random(seed)
    for number in numbers:
        try:
            with wire.primary.atomic():
                wire.outbox.add(fact(number))
                time.sleep(chance.random() / 50)
                if chance.random() < 0.2:
                    raise Undone
        except Undone:
            pass
    wire.primary.close_quietly()


@pytest.mark.promise(2)
def test_late_commits_are_never_skipped(wire: Wire, figure: Figure) -> None:
    writers = [
        threading.Thread(target=write, args=(wire, range(n * 100, n * 100 + 60), n))
        for n in range(1, 7)
    ]

    with running(wire.relay):
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        eventually(lambda: backlog(wire.primary)[0] == 0)
    committed = wire.primary.value("SELECT count(*) FROM outbox")

    assert 200 < committed < 360
    assert wire.bus.xlen(STREAM) == committed
    figure("committed and published", committed)


@pytest.mark.promise(3)
def test_an_idle_transaction_does_not_stop_the_bus(
    wire: Wire, settings: Config, figure: Figure
) -> None:
    idle = Server(None)
    idle.open(settings.database_url("tracker"))
    idle.begin()
    idle.run("INSERT INTO outbox (type, envelope) VALUES ('never.said', '{}')")

    with running(wire.relay):
        for number in range(200):
            wire.say(fact(number))
        eventually(lambda: backlog(wire.primary)[0] == 0)
    idle.rollback()
    idle.close_quietly()

    lag_s = wire.primary.value(LAG_P99)

    assert wire.bus.xlen(STREAM) == 200
    assert lag_s < 2
    figure("relay lag p99", lag_s, "s")


@pytest.mark.promise(5)
def test_a_lost_reply_of_publishing_is_harmless(
    wire: Wire, settings: Config, network: Proxy
) -> None:
    relay = Relay("tests", wire.primary, stream.connect(network.url), [GROUP])
    consumer = wire.make_consumer(settings, wire.keep)
    network.drop_reply("EXEC")

    with running(relay, consumer):
        wire.say(*(fact(number) for number in range(100)))
        eventually(lambda: len(wire.heard()) >= 100 and not backlog(wire.primary)[0])
        eventually(lambda: not wire.pending())

    assert network.is_dropped.is_set()
    assert 100 < wire.bus.xinfo_stream(STREAM)["entries-added"] <= 200
    assert wire.heard() == list(range(100))


@pytest.mark.promise(5)
def test_a_command_whose_reply_was_lost_is_not_sent_again_by_itself(
    wire: Wire, network: Proxy
) -> None:
    with stream.connect(network.url) as bus:
        network.drop_reply("XADD")

        with pytest.raises(redis.ConnectionError):
            stream.publish(bus, STREAM, ["said once"])

    assert wire.bus.xlen(STREAM) == 1


@pytest.mark.parametrize(
    "lose",
    [lambda bus: bus.flushall(), lambda bus: bus.delete(STREAM)],
    ids=["bus wiped", "stream deleted"],
)
def test_a_loss_heals_with_nothing_to_publish(wire: Wire, lose: Callable[[Any], Any]) -> None:
    wire.say(*(fact(number) for number in range(100)))

    with running(wire.relay):
        eventually(lambda: backlog(wire.primary)[0] == 0)
        lose(wire.bus)
        healed_s = eventually(lambda: wire.bus.exists(STREAM) and wire.bus.xlen(STREAM) == 100)

    assert healed_s < 5


def test_a_loss_in_the_middle_of_publishing_is_noticed(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.say(fact(1))
    wire.relay.drain()
    publish = stream.publish
    monkeypatch.setattr(
        stream, "publish", lambda bus, *rest: (bus.flushall(), publish(bus, *rest))[1]
    )
    wire.say(fact(2))
    wire.relay.run_once()
    monkeypatch.undo()

    wire.relay.drain()
    wire.consumer.drain()

    assert {event.task_id.int for event in wire.effects} == {1, 2}


def test_only_what_may_be_lost_is_published_again(wire: Wire) -> None:
    wire.say(*(fact(number) for number in range(1000)))
    wire.relay.drain()
    wire.consumer.drain()
    wire.relay.tidy()
    wire.say(*(fact(number) for number in range(1000, 1010)))
    wire.relay.drain()
    wire.bus.flushall()

    again = wire.relay.drain()
    wire.consumer.drain()

    assert again == 11  # the last one acknowledged marks the place
    assert [event.task_id.int for event in wire.effects] == list(range(1010))


@pytest.mark.promise(14)
def test_trimming_never_drops_what_a_slow_group_has_to_read(wire: Wire) -> None:
    relay = Relay("tests", wire.primary, wire.bus, [GROUP, "slow"])
    node = "stream-node-max-entries"
    usual = wire.bus.config_get(node)[node]
    wire.bus.config_set(node, 100)
    wire.say(*(fact(number) for number in range(3000)))
    relay.drain()
    wire.bus.config_set(node, usual)
    wire.consumer.drain()
    relay.tidy()
    assert wire.bus.xlen(STREAM) == 3000, "trimmed although a group is missing"
    stream.ensure_groups(wire.bus, [STREAM], "slow")
    mine = stream.read(wire.bus, "slow", "one", [STREAM], 1000, own=False)
    stream.ack(wire.bus, "slow", mine[:900])

    with clock.hold(clock.now() + timedelta(days=9)):
        relay.tidy()
        kept = wire.primary.value("SELECT count(*) FROM outbox")
    unread = stream.read(wire.bus, "slow", "one", [STREAM], 5000, own=False)
    unacknowledged = stream.read(wire.bus, "slow", "one", [STREAM], 5000, own=True)

    assert len(unread) == 2000
    assert [entry.id for entry in unacknowledged[:100]] == [entry.id for entry in mine[900:]]
    assert all(entry.text for entry in unacknowledged)
    assert kept == 2100
    assert 2100 <= wire.bus.xlen(STREAM) < 2300
    stream.ack(wire.bus, "slow", unacknowledged)
    relay.tidy()
    assert wire.bus.xlen(STREAM) < 200


@pytest.mark.promise(14)
def test_old_events_are_forgotten_but_never_unpublished_ones(wire: Wire) -> None:
    wire.say(fact(1), fact(2))
    wire.relay.drain()
    wire.consumer.drain()
    wire.say(fact(3))

    with clock.hold(clock.now() + timedelta(days=2)):
        assert wire.relay.tidy() == 0
    with clock.hold(clock.now() + timedelta(days=4)):
        assert wire.relay.tidy() == 1  # not the last acknowledged, which marks the place

    assert backlog(wire.primary)[0] == 1
    assert wire.primary.value("SELECT count(*) FROM outbox") == 2


def test_republishing_says_again_what_was_said_since(wire: Wire) -> None:
    wire.say(fact(1))
    wire.relay.drain()
    since = wire.primary.value("SELECT clock_timestamp()")
    wire.say(fact(2), fact(3))
    wire.relay.drain()
    wire.consumer.drain()

    again = republish(wire.primary, since, by="Fay")
    wire.relay.drain()
    wire.consumer.drain()

    assert again == 2
    assert wire.bus.xinfo_stream(STREAM)["entries-added"] == 5
    assert [event.task_id.int for event in wire.effects] == [1, 2, 3]
    logged = wire.primary.row("SELECT done_by, what, detail FROM bus_log")
    assert logged == {
        "done_by": "Fay",
        "what": "republished",
        "detail": f"2 events since {since.isoformat()}",
    }


def test_a_batch_ends_at_its_size_but_is_never_empty(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.relay.BATCH_BYTES", 1)
    wire.say(fact(1), fact(2), fact(3))

    published = [wire.relay.run_once() for _ in range(4)]

    assert published == [1, 1, 1, 0]
    assert wire.bus.xlen(STREAM) == 3
