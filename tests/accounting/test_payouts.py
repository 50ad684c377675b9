from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from accounting import actions, payouts
from accounting.models import outbox, primary, store
from common.config import Config
from common.db import LOST, Row
from common.events import PayoutMade
from tests.accounting.conftest import (
    MONDAY,
    NOON,
    added,
    balances,
    completed,
    facts,
    kinds,
    new_id,
    price,
    tell,
    workers_with_rewards,
)
from tests.faults.proxy import proxy

DAY = timedelta(days=1)


def run_of(day: Any = MONDAY) -> Row:
    found = primary.row("SELECT * FROM payout_run WHERE day = %s", day)
    assert found
    return found


def close_and_pay(day: Any = MONDAY) -> None:
    moment = NOON + (day - MONDAY)
    actions.close_day(day, by=None, now=moment)
    payouts.pay_all(now=moment)


def test_positive_balances_are_paid_and_negative_ones_carried() -> None:
    bob, cat, task = new_id(), new_id(), new_id()
    tell(added(bob, task), completed(bob, task), added(cat))
    before = balances()

    close_and_pay()

    assert balances() == {bob: 0, cat: before[cat]}
    run = run_of()
    assert (run["state"], run["total"], run["done"]) == ("done", 2, 2)
    assert run["paid_cents"] == before[bob]
    day = primary.row("SELECT * FROM report_days WHERE day = %s", MONDAY)
    assert day
    assert (day["state"], day["workers_in_minus"]) == ("closed", 1)


def test_who_is_paid_is_told_what_it_is_made_of() -> None:
    bob, first, second = new_id(), new_id(), new_id()
    tell(added(bob, first))
    close_and_pay()
    tell(added(bob, second), completed(bob, second), completed(bob), completed(bob))

    close_and_pay(MONDAY + DAY)

    (event,) = facts(PayoutMade)
    assert event.worker_id == bob
    assert event.day == MONDAY + DAY
    assert event.carried_cents == -price(first)[0]
    assert event.fees_cents == price(second)[0]
    assert event.amount_cents == (event.carried_cents + event.rewards_cents - event.fees_cents)
    payout = primary.row("SELECT id, amount_cents FROM transfer WHERE kind = 'payout'")
    assert payout == {"id": event.payout_id, "amount_cents": event.amount_cents}


def test_a_day_without_anything_closes_at_once() -> None:
    tell(completed(new_id()))
    close_and_pay()

    close_and_pay(MONDAY + DAY)

    assert (run_of(MONDAY + DAY)["state"], run_of(MONDAY + DAY)["total"]) == ("done", 0)
    assert kinds()["payout"] == 1


def test_what_is_posted_after_closing_is_left_alone() -> None:
    (bob,) = workers_with_rewards(1)
    due = balances()[bob]
    actions.close_day(MONDAY, by=None, now=NOON)
    tell(added(bob))

    payouts.pay_all(now=NOON)

    assert run_of()["paid_cents"] == due
    assert balances()[bob] < 0


@pytest.mark.promise(25)
def test_a_payout_run_cut_off_half_way_goes_on_and_pays_nobody_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workers = workers_with_rewards(7)
    actions.close_day(MONDAY, by=None, now=NOON)
    payouts.pay_batch(now=NOON, limit=3)

    def cut_off() -> None:
        raise RuntimeError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "notify", cut_off)
        with pytest.raises(RuntimeError):
            payouts.pay_batch(now=NOON, limit=3)
    half = run_of()
    payouts.pay_all(now=NOON, limit=3)

    assert (half["state"], half["done"], half["error"]) == ("failed", 3, "RuntimeError: cut off")
    assert (run_of()["state"], run_of()["done"], run_of()["error"]) == ("done", 7, None)
    assert sorted(event.worker_id for event in facts(PayoutMade)) == workers
    assert set(balances().values()) == {0}


@pytest.mark.promise(25)
@pytest.mark.promise(28)
def test_two_payers_at_once_pay_each_worker_once() -> None:
    workers = workers_with_rewards(60)
    due = sum(balances().values())
    actions.close_day(MONDAY, by=None, now=NOON)

    def pay() -> None:
        payouts.pay_all(now=NOON, limit=4)
        store.close()

    with ThreadPoolExecutor(2) as pool:
        for payer in [pool.submit(pay) for _ in range(2)]:
            payer.result()

    assert (run_of()["state"], run_of()["paid_cents"]) == ("done", due)
    assert sorted(event.worker_id for event in facts(PayoutMade)) == workers
    assert kinds()["payout"] == 60


@pytest.mark.promise(24)
@pytest.mark.parametrize("is_done", [True, False], ids=["reply lost", "never arrived"])
def test_a_batch_whose_connection_is_cut_at_commit_is_paid_once(
    is_done: bool, settings: Config
) -> None:
    workers = workers_with_rewards(5)
    actions.close_day(MONDAY, by=None, now=NOON)

    with proxy(settings.database_url("accounting")) as network, pytest.MonkeyPatch.context() as way:
        primary.close_quietly()
        way.setattr(primary, "hosts", (("127.0.0.1", str(network.port)),))
        payouts.pay_batch(now=NOON, limit=2)
        network.cut_commit("INSERT INTO transfer", is_done=is_done)
        with pytest.raises(LOST):
            payouts.pay_batch(now=NOON, limit=2)
        done = run_of()["done"]
        payouts.pay_all(now=NOON, limit=2)
        primary.close_quietly()

    assert done == (4 if is_done else 2)
    assert (run_of()["state"], run_of()["done"], kinds()["payout"]) == ("done", 5, 5)
    assert balances() == dict.fromkeys(workers, 0)
    assert sorted(fact.worker_id for fact in facts(PayoutMade)) == workers


def test_days_are_paid_in_order() -> None:
    (bob,) = workers_with_rewards(1)
    first = balances()[bob]
    actions.close_day(MONDAY, by=None, now=NOON)
    tell(added(bob), completed(bob), completed(bob))
    actions.close_day(MONDAY + DAY, by=None, now=NOON + DAY)

    payouts.pay_all(now=NOON + DAY)

    paid: dict[Any, UUID] = {event.day: event.amount_cents for event in facts(PayoutMade)}
    assert list(paid) == [MONDAY, MONDAY + DAY]
    assert paid[MONDAY] == first
    assert balances() == {bob: 0}
