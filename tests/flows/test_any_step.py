"""People, days, relays, consumers, crashes and losses in any order: the books balance after every
step, and once everything was delivered every effect is there, once.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounting import actions as accounts
from accounting import payouts, verify
from common import chance, clock, stream
from common.config import Config
from common.consume import Consumer
from common.errors import Conflict
from common.events import UserAdded, UserChanged
from common.service import Service, services
from common.stream import Entry
from gateway.models import outbox
from mailer import letters
from tests.conftest import CAST, Ground, Person
from tests.faults.history import WRONG_BALANCES
from tests.soak import queries
from tests.soak.compare import column, money_differences, pairs
from tracker import actions as tasks
from tracker import runs
from tracker.domain import Draft

BY_NAME: dict[str, Service] = {service.name: service for service in services()}
RELAYS = sorted(name for name, service in BY_NAME.items() if service.has_relay)
LISTENERS = sorted(name for name, service in BY_NAME.items() if service.handlers)
PRIMARIES = {name: service.primary() for name, service in BY_NAME.items() if service.store}
TWICE = """
    SELECT kind FROM transfer
    GROUP BY kind, run_id, task_id, reverses_id,
             CASE kind WHEN 'payout' THEN (day, worker_id)::text END
    HAVING count(*) > 1
"""


class Crash(Exception):
    """The process ends here."""


class Company(RuleBasedStateMachine):
    """The services, each step of theirs taken by hand."""

    config: Config
    grounds: list[Ground]

    def __init__(self) -> None:
        super().__init__()
        for ground in self.grounds:
            ground.restore()
        self.bus = stream.connect(self.config.bus_url)
        self.bus.flushall()
        self.relays = {name: BY_NAME[name].relay(self.config) for name in RELAYS}
        self.consumers = {name: BY_NAME[name].consumer(self.config) for name in LISTENERS}
        self.held, self.now, self.versions = ExitStack(), clock.now(), dict[UUID, int]()
        self.later(timedelta(0))
        for person in CAST:
            self.tell_of(person, person.is_active)
        self.deliver_all()

    def later(self, by: timedelta) -> None:
        self.now += by
        self.held.close()
        self.held.enter_context(clock.hold(self.now))

    def tell_of(self, person: Person, is_active: bool) -> None:
        version = self.versions[person.id] = self.versions.get(person.id, 0) + 1
        kind = UserAdded if version == 1 else UserChanged
        news = kind(
            user_id=person.id,
            email=person.email,
            name=person.name,
            role=person.role,
            is_active=is_active,
            user_version=version,
        )
        with PRIMARIES["gateway"].atomic():
            outbox.add(news)

    # What people do.

    @rule()
    def add(self) -> None:
        tasks.add_task(Draft("Task"), by=CAST.ann.id, now=self.now, seed=chance.new_seed())

    @rule(count=st.integers(2, 6))
    def bring(self, count: int) -> None:
        drafts = [Draft(f"Task {number}") for number in range(count)]
        tasks.import_tasks(drafts, by=CAST.ann.id, now=self.now, seed=chance.new_seed())

    @rule(draw=st.randoms(use_true_random=False))
    def complete(self, draw: random.Random) -> None:
        if held := PRIMARIES["tracker"].rows("SELECT * FROM deal ORDER BY task_id"):
            deal = draw.choice(held)
            tasks.complete_task(deal["task_id"], by=deal["assignee_id"], now=self.now)
            with pytest.raises(Conflict):
                tasks.complete_task(deal["task_id"], by=deal["assignee_id"], now=self.now)

    @rule(draw=st.randoms(use_true_random=False))
    def withdraw(self, draw: random.Random) -> None:
        if held := PRIMARIES["tracker"].rows("SELECT * FROM deal ORDER BY task_id"):
            tasks.withdraw_task(draw.choice(held)["task_id"], by=CAST.ann.id, now=self.now)

    @rule()
    def ask_for_a_reassignment(self) -> None:
        runs.request_reassignment(by=CAST.ann.id, now=self.now, seed=chance.new_seed())

    @rule(size=st.integers(1, 4))
    def deal_on(self, size: int) -> None:
        runs.step(now=self.now, size=size)

    @rule(person=st.sampled_from((CAST.bob, CAST.cat)), is_active=st.booleans())
    def leave_or_return(self, person: Person, is_active: bool) -> None:
        self.tell_of(person, is_active)

    @rule(days=st.integers(0, 2), close=st.booleans())
    def pass_days(self, days: int, close: bool) -> None:
        self.later(timedelta(days=days, hours=1))
        if close:
            with suppress(Conflict):
                accounts.close_day(self.now.date(), by=CAST.dan.id, now=self.now)
        else:
            accounts.close_due_days(now=self.now)

    @rule(limit=st.integers(1, 3))
    def pay_on(self, limit: int) -> None:
        payouts.pay_batch(now=self.now, limit=limit)

    # What carries the news.

    @rule(name=st.sampled_from(RELAYS))
    def publish(self, name: str) -> None:
        self.relays[name].run_once()

    @rule(name=st.sampled_from(RELAYS))
    def publish_and_crash(self, name: str) -> None:
        with suppress(Crash), PRIMARIES[name].atomic():
            self.relays[name].run_once()
            raise Crash

    @rule(name=st.sampled_from(RELAYS))
    def tidy(self, name: str) -> None:
        self.relays[name].tidy()

    @rule(
        name=st.sampled_from(LISTENERS),
        count=st.integers(1, 8),
        crash=st.sampled_from(("not", "before commit", "after commit")),
        draw=st.randoms(use_true_random=False),
    )
    def deliver(self, name: str, count: int, crash: str, draw: random.Random) -> None:
        consumer = self.consumers[name]
        stream.ensure_groups(self.bus, consumer.streams, name)
        found = stream.read(self.bus, name, consumer.name, consumer.streams, count, own=False)
        draw.shuffle(found)
        self.handle(consumer, found, crash)

    def handle(self, consumer: Consumer, entries: list[Entry], crash: str) -> None:
        if crash == "not":
            consumer.take_all(entries)
        elif crash == "after commit":
            consumer.handle(entries)
        else:
            with suppress(Crash), consumer.primary.atomic():
                consumer.handle(entries)
                raise Crash

    @rule(name=st.sampled_from(LISTENERS))
    def recover(self, name: str) -> None:
        self.consumers[name].recover()

    @rule(name=st.sampled_from(RELAYS), draw=st.randoms(use_true_random=False))
    def say_again(self, name: str, draw: random.Random) -> None:
        key = stream.name_of(name)
        found: Any = self.bus.xrange(key)
        texts = [entry.text for entry in stream.entries(key, found)]
        stream.publish(self.bus, key, draw.sample(texts, min(3, len(texts))))

    @precondition(lambda self: self.bus.exists(*map(stream.name_of, RELAYS)))
    @rule(name=st.sampled_from((*RELAYS, "")))
    def lose(self, name: str) -> None:
        if name:
            self.bus.delete(stream.name_of(name))
        else:
            self.bus.flushall()

    # What is always so.

    @invariant()
    def balances_are_sums(self) -> None:
        assert PRIMARIES["accounting"].rows(WRONG_BALANCES) == []

    @invariant()
    def the_tally_is_what_a_recount_gives(self) -> None:
        assert PRIMARIES["accounting"].rows(verify.TALLY) == []

    @invariant()
    def every_key_is_there_once(self) -> None:
        assert PRIMARIES["accounting"].rows(TWICE) == []

    @invariant()
    def at_most_one_day_is_open_and_none_is_missing(self) -> None:
        books = PRIMARIES["accounting"]
        assert books.value("SELECT count(*) FROM business_day WHERE state = 'open'") <= 1
        assert books.rows(queries.DAYS_MISSED) == []

    def teardown(self) -> None:
        try:
            assert list(self.differences_at_the_end()) == []
        finally:
            self.held.close()
            self.bus.close()

    def differences_at_the_end(self) -> Iterator[str]:
        self.deliver_all()
        with suppress(Conflict):
            while runs.step(now=self.now):
                pass
        payouts.pay_all(now=self.now)
        self.deliver_all()
        truth: Any = SimpleNamespace(**PRIMARIES)
        yield from money_differences(truth, truth.tracker.rows(queries.TASKS))
        yield from column(truth.accounting.rows(queries.NOT_EMPTIED))
        yield from verify.differences()
        paid = truth.accounting.rows("SELECT id FROM transfer WHERE kind = 'payout'")
        written = {letter.cause_id: True for letter in letters.lease(self.now, 999)}
        yield from pairs("letter", written, {row["id"]: True for row in paid})
        for name in LISTENERS:
            yield from column(PRIMARIES[name].rows("SELECT error FROM dead_letter"))

    def deliver_all(self) -> None:
        while sum(relay.drain() + relay.tidy() for relay in self.relays.values()) + sum(
            consumer.drain() for consumer in self.consumers.values()
        ):
            pass


@pytest.mark.promise(22)
@pytest.mark.promise(23)
def test_any_steps_in_any_order_keep_the_books(settings: Config, grounds: list[Ground]) -> None:
    kept = type("Company", (Company,), {"config": settings, "grounds": grounds})

    run_state_machine_as_test(
        kept,
        settings=hypothesis.settings(
            max_examples=8,
            stateful_step_count=40,
            deadline=None,
            phases=(Phase.reuse, Phase.generate),  # shrinking takes longer than reading
            suppress_health_check=list(HealthCheck),
        ),
    )
