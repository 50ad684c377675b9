"""What a consumer promises when replies are lost, groups vanish or events are bad."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from common import clock, stream
from common.config import Config
from common.consume import Consumer
from common.events import TaskCompleted
from common.inbox import EVENT_CHARS_MAX
from tests.common.wire import GROUP, STREAM, Wire, eventually, fact, running
from tests.faults.proxy import Proxy
from tests.promises import Figure

WAITING_LOCKS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.mark.promise(8)
@pytest.mark.parametrize("what", ["group", "stream", "bus"])
def test_a_group_lost_at_work_is_made_again(
    wire: Wire, settings: Config, what: str, figure: Figure
) -> None:
    lose: dict[str, Callable[[], Any]] = {
        "group": lambda: wire.bus.xgroup_destroy(STREAM, GROUP),
        "stream": lambda: wire.bus.delete(STREAM),
        "bus": wire.bus.flushall,
    }
    consumer = wire.make_consumer(settings, wire.keep)

    with running(wire.relay, consumer):
        wire.say(*(fact(number) for number in range(50)))
        eventually(lambda: len(wire.heard()) == 50)
        lose[what]()
        wire.say(*(fact(number) for number in range(50, 100)))
        recovered_s = eventually(lambda: len(wire.heard()) >= 100)

    assert recovered_s < 10
    figure("recovered after", recovered_s, "s")
    assert wire.heard() == list(range(100))


@pytest.mark.promise(9)
def test_a_lost_reply_of_reading_heals(wire: Wire, settings: Config, network: Proxy) -> None:
    consumer = wire.make_consumer(settings, wire.keep)
    consumer.bus = stream.connect(network.url)
    wire.say(*(fact(number) for number in range(100)))
    wire.relay.drain()
    network.drop_reply("XREADGROUP")

    with running(consumer):
        eventually(lambda: network.is_dropped.is_set())
        eventually(lambda: len(wire.heard()) >= 100 and not wire.pending())

    assert wire.heard() == list(range(100))


class Frozen:
    """A consumer that stops at one place until it is woken, as after SIGSTOP."""

    def __init__(self, consumer: Consumer, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_there, self.is_woken = threading.Event(), threading.Event()
        self.consumer = consumer
        if place == "before the effects":
            monkeypatch.setattr(consumer, "handle", self.then(consumer.handle))
        elif place == "in the transaction":
            [(kind, handler)] = consumer.handlers.items()
            consumer.handlers = {kind: self.then(handler)}
        else:
            monkeypatch.setattr(stream, "ack", self.then(stream.ack))

    def then(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def stop_and(*given: Any) -> Any:
            if threading.current_thread() is self.thread:
                self.is_there.set()
                assert self.is_woken.wait(30)
            return act(*given)

        return stop_and

    def start(self) -> None:
        self.thread = threading.Thread(target=self.work)
        self.thread.start()
        assert self.is_there.wait(10)

    def work(self) -> None:
        self.consumer.run_once()
        self.consumer.primary.close_quietly()

    def wake(self) -> None:
        self.is_woken.set()
        self.thread.join()


@pytest.mark.promise(11)
@pytest.mark.parametrize("place", ["before the effects", "in the transaction", "before the ack"])
def test_a_frozen_consumer_wakes_safely(
    wire: Wire, settings: Config, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.say(*(fact(number) for number in range(20)))
    wire.relay.drain()
    stream.ensure_groups(wire.bus, [STREAM], GROUP)
    frozen = Frozen(wire.make_consumer(settings, wire.keep), place, monkeypatch)
    other = wire.make_consumer(settings, wire.keep)
    other.name = "the-other"
    monkeypatch.setattr("common.consume.CLAIM_IDLE_MS", 0)
    frozen.start()

    with running(other):
        if place == "in the transaction":
            eventually(lambda: wire.primary.value(WAITING_LOCKS))
        else:
            eventually(lambda: not wire.pending())
        frozen.wake()
        eventually(lambda: not wire.pending())

    assert wire.heard() == list(range(20))


def fail_on_seven(keep: Callable[[Any], None]) -> Callable[[Sequence[TaskCompleted]], None]:
    def handler(events: Sequence[TaskCompleted]) -> None:
        if any(event.task_id.int == 7 for event in events):
            raise ValueError("seven cannot be paid")
        keep(events)

    return handler


@pytest.mark.promise(12)
def test_a_poison_event_blocks_nobody(wire: Wire, settings: Config, figure: Figure) -> None:
    wire.say(*(fact(number) for number in range(20)))
    wire.relay.drain()
    [(_, sample)] = wire.bus.xrange(STREAM, count=1)
    envelope = json.loads(sample["event"])
    unknown = json.dumps({**envelope, "id": str(uuid4()), "dataschema": "task.completed/99"})
    unfit = json.dumps({**envelope, "id": str(uuid4()), "data": {"task_id": "no uuid"}})
    large = json.dumps({**envelope, "id": str(uuid4()), "subject": "x" * EVENT_CHARS_MAX})
    stream.publish(wire.bus, STREAM, ["{", unknown, unfit, large, "\x00", "[1, 2]"])
    consumer = wire.make_consumer(settings, fail_on_seven(wire.keep))

    with running(wire.relay, consumer):
        lag_s = eventually(lambda: len(wire.heard()) == 19)
        wire.say(*(fact(number) for number in range(20, 40)))
        lag_s = max(lag_s, eventually(lambda: len(wire.heard()) == 39))
        eventually(lambda: len(wire.dead_letters()) == 7 and not wire.pending(), within_s=15)

    assert lag_s < 5
    figure("others waited at most", lag_s, "s")
    reasons = " ".join(letter["error"] for letter in wire.dead_letters())
    assert "no class reads task.completed/99" in reasons
    assert "characters; an event has 1000000 at most" in reasons
    assert "seven cannot be paid" in reasons
    assert reasons.count("not an event envelope") == 3
    assert max(len(letter["event"]) for letter in wire.dead_letters()) <= 10_000


def test_only_what_cannot_come_again_is_forgotten(wire: Wire, settings: Config) -> None:
    consumer = wire.make_consumer(settings, wire.keep)
    wire.say(*(fact(number) for number in range(3000)))
    wire.relay.drain()
    consumer.drain()
    later = clock.now() + 3 * consumer.retention

    with clock.hold(later):
        while_the_stream_holds_them = consumer.tidy()
        wire.bus.xtrim(STREAM, maxlen=0, approximate=False)
        with_an_empty_stream = consumer.tidy()
        entry = {"id": str(uuid4()), "source": "/tests", "data": {}}
        said = {**entry, "type": "x", "time": later.isoformat(), "dataschema": "x/1"}
        stream.publish(wire.bus, STREAM, [json.dumps(said)])
        at_last = consumer.tidy()

    assert while_the_stream_holds_them == with_an_empty_stream == 0
    assert at_last == 3000
    assert wire.primary.value("SELECT count(*) FROM inbox") == 0


def test_a_stream_nobody_can_read_keeps_the_inbox(wire: Wire) -> None:
    stream.publish(wire.bus, STREAM, ["{"])
    began = time.monotonic()

    assert wire.consumer.tidy() == 0
    assert time.monotonic() - began < 1
