"""Several consumers of accounting at once: nobody waits in a circle, each fact counts once."""

import random
import threading
from collections.abc import Callable
from uuid import UUID

import pytest

from accounting.models import primary
from common.config import Config
from common.consume import Consumer
from common.db import Server
from common.events.base import Event
from common.outbox import Outbox
from common.service import services
from tests.accounting.conftest import added, balances, completed, dealt, kinds, new_id

CONSUMERS = 3
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.fixture
def publish(settings: Config) -> Callable[..., None]:
    """The events are on the tracker's stream, in this order."""
    tracker = next(each for each in services() if each.name == "tracker")

    def say(events: list[Event]) -> None:
        with tracker.primary().atomic():
            Outbox(tracker.primary(), "tracker").add_all(events)
        tracker.relay(settings).drain()

    return say


def member(settings: Config, name: str) -> Consumer:
    accounting = next(each for each in services() if each.name == "accounting")
    consumer = accounting.consumer(settings)
    consumer.name = name
    return consumer


def consume(settings: Config, name: str, failures: list[BaseException]) -> None:
    consumer = member(settings, name)
    try:
        while consumer.run_once():
            pass
    except BaseException as error:
        failures.append(error)
    finally:
        primary.close_quietly()


def deadlocks() -> int:
    with primary.atomic():
        primary.execute_sql("SELECT pg_stat_force_next_flush()")
    return primary.value(DEADLOCKS)


def test_three_consumers_never_wait_in_a_circle(
    settings: Config, publish: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same new tasks come to all of them, by different events and in different orders."""
    chance = random.Random(7)
    workers = [new_id() for _ in range(20)]
    tasks: list[UUID] = [new_id() for _ in range(1200)]
    holder = {task: chance.choice(workers) for task in tasks}
    events: list[Event] = [added(holder[task], task) for task in tasks]
    events += [completed(holder[task], task) for task in tasks]
    events += [
        dealt(*[(task, holder[task]) for task in chance.sample(tasks, 200)]) for _ in range(30)
    ]
    chance.shuffle(events)
    publish(events)
    member(settings, "first").recover()
    monkeypatch.setattr("common.consume.BATCH", 60)
    before, failures = deadlocks(), list[BaseException]()

    group = [
        threading.Thread(target=consume, args=(settings, f"consumer-{number}", failures))
        for number in range(CONSUMERS)
    ]
    for each in group:
        each.start()
    for each in group:
        each.join()

    assert failures == []
    assert deadlocks() == before
    assert kinds() == {"deal_fee": 1200 + 30 * 200, "completion_reward": 1200}
    assert set(balances()) == set(workers)


def test_the_counter_of_deadlocks_counts(settings: Config) -> None:
    """What the test above looks at moves when two wait in a circle."""
    before = deadlocks()
    both, failed = threading.Barrier(2), list[BaseException]()

    def lock(first: int, second: int) -> None:
        server = Server(None)
        server.open(settings.database_url("accounting"))
        try:
            with server.atomic():
                server.execute_sql("SELECT pg_advisory_xact_lock(%s)", (first,))
                both.wait(10)
                server.execute_sql("SELECT pg_advisory_xact_lock(%s)", (second,))
        except Exception as error:
            failed.append(error)
        finally:
            server.close_quietly()

    pair = [threading.Thread(target=lock, args=(a, b)) for a, b in ((1, 2), (2, 1))]
    for each in pair:
        each.start()
    for each in pair:
        each.join()

    assert len(failed) == 1
    assert deadlocks() > before
