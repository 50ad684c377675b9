import random
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounting import actions, books, payouts
from accounting.ledger import Contradiction
from accounting.models import Agreed, primary, store
from common import chance
from common.events import LetterSettled, TasksPriced
from tests.accounting.conftest import (
    MONDAY,
    NOON,
    added,
    balances,
    completed,
    dealt,
    facts,
    kinds,
    new_id,
    price,
    tell,
    withdrawn,
)

DAY = timedelta(days=1)


def test_a_deal_is_charged_and_a_completion_paid() -> None:
    bob, task = new_id(), new_id()

    tell(added(bob, task), completed(bob, task))

    fee, reward = price(task)
    assert balances() == {bob: reward - fee}
    assert kinds() == {"deal_fee": 1, "completion_reward": 1}


def test_every_deal_is_charged_whoever_it_goes_to() -> None:
    bob, cat, task = new_id(), new_id(), new_id()

    tell(added(bob, task), dealt((task, cat)), dealt((task, cat)))

    fee, _ = price(task)
    assert balances() == {bob: -fee, cat: -2 * fee}


@pytest.mark.promise(23)
def test_the_same_fact_twice_moves_money_once() -> None:
    bob, task = new_id(), new_id()
    events = [added(bob, task), completed(bob, task), dealt((task, bob))]

    tell(*events, *events)
    before = balances()
    tell(*events)

    assert balances() == before
    assert kinds() == {"deal_fee": 2, "completion_reward": 1}


@pytest.mark.promise(23)
def test_the_same_key_for_another_worker_is_refused() -> None:
    bob, cat, task, run = new_id(), new_id(), new_id(), new_id()
    tell(dealt((task, bob), run_id=run), completed(bob, task))
    before = balances()

    with pytest.raises(Contradiction, match="charged another worker"):
        tell(dealt((task, cat), run_id=run))
    with pytest.raises(Contradiction, match="paid to another worker"):
        tell(completed(cat, task))

    assert balances() == before


def test_a_task_withdrawn_from_two_runs_is_refused() -> None:
    bob, task = new_id(), new_id()
    tell(withdrawn(bob, task, new_id()))

    with pytest.raises(Contradiction, match="withdrawn from another run"):
        tell(withdrawn(bob, task, new_id()))


@pytest.mark.parametrize("withdrawal_first", [True, False])
def test_the_last_fee_is_given_back_in_whatever_order(withdrawal_first: bool) -> None:
    bob, task, run = new_id(), new_id(), new_id()
    news = [dealt((task, bob), run_id=run), withdrawn(bob, task, run)]
    tell(dealt((task, bob)))

    for event in reversed(news) if withdrawal_first else news:
        tell(event)
        tell(event)

    fee, _ = price(task)
    assert balances() == {bob: -fee}
    assert kinds() == {"deal_fee": 2, "reversal": 1}


def test_a_fee_of_yesterday_given_back_today_counts_today() -> None:
    bob, task, run = new_id(), new_id(), new_id()
    tell(dealt((task, bob), run_id=run))
    actions.close_day(MONDAY, by=None, now=NOON)
    payouts.pay_all(now=NOON)

    tell(withdrawn(bob, task, run))

    fee, _ = price(task)
    days = primary.rows("SELECT fees_cents, workers_in_minus FROM report_days ORDER BY day")
    assert [row["fees_cents"] for row in days] == [fee, -fee]
    assert [row["workers_in_minus"] for row in days] == [1, 0]
    assert balances() == {bob: 0}


def test_a_task_is_priced_once_whichever_fact_comes_first() -> None:
    bob, task, run = new_id(), new_id(), new_id()
    tell(withdrawn(bob, task, run))
    first = price(task)

    tell(added(bob, task))
    tell(dealt((task, bob), run_id=run), completed(bob, task))

    assert price(task) == first
    assert facts(TasksPriced) == [TasksPriced(prices=[(task, *first)])]


def test_prices_follow_from_the_recorded_seed() -> None:
    tasks = [new_id() for _ in range(1200)]

    tell(dealt(*[(task, task) for task in tasks]))

    (seed,) = [bytes(row["seed"]) for row in primary.rows("SELECT seed FROM pricing")]
    for task in tasks:
        fee = 10 + chance.draw("fee", seed, task, 11)
        reward = 20 + chance.draw("reward", seed, task, 21)
        assert price(task) == (fee * 100, reward * 100)
    assert [len(event.prices) for event in facts(TasksPriced)] == [1000, 200]
    assert Agreed.terms.fees == (10, 20)


def test_facts_belong_to_the_open_day_whenever_they_happened() -> None:
    books.open_books(MONDAY - 3 * DAY, now=NOON)

    tell(completed(new_id()))

    row = primary.row("SELECT day, occurred_at, posted_at FROM transfer")
    assert row == {"day": MONDAY - 3 * DAY, "occurred_at": NOON, "posted_at": NOON}


def test_what_became_of_a_letter_is_noted_the_newest_news_wins() -> None:
    letter, payout = new_id(), new_id()
    news = {"letter_id": letter, "cause_id": payout}
    failed = LetterSettled(**news, state="failed", settled_at=NOON)
    sent = LetterSettled(**news, state="sent", settled_at=NOON + DAY)

    tell(sent, failed)
    tell(failed)

    assert primary.rows("SELECT payout_id, state FROM letter") == [
        {"payout_id": payout, "state": "sent"}
    ]


def story(draws: random.Random) -> tuple[list[Any], dict[UUID, list[tuple[int, UUID, UUID]]]]:
    """What happened to a few tasks, and `{task_id: [(1 reward, -1 fee; worker, task)]}` due."""
    workers = [uuid4() for _ in range(3)]
    events: list[Any] = []
    due: dict[UUID, list[tuple[int, UUID, UUID]]] = {}
    for _ in range(draws.randint(1, 6)):
        task, worker = uuid4(), draws.choice(workers)
        deals = due[task] = [(-1, worker, task)]
        last = added(worker, task)
        events.append(last)
        run = last.run_id
        for _ in range(draws.randint(0, 2)):
            worker, run = draws.choice(workers), uuid4()
            events.append(dealt((task, worker), run_id=run))
            deals.append((-1, worker, task))
        end = draws.choice(["open", "done", "withdrawn"])
        if end == "done":
            events.append(completed(worker, task))
            deals.append((1, worker, task))
        if end == "withdrawn":
            events.append(withdrawn(worker, task, run))
            deals.pop()
    return events, due


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.randoms(use_true_random=False))
def test_order_duplicates_and_batches_do_not_matter(draws: random.Random) -> None:
    events, due = story(draws)
    arriving = events + draws.choices(events, k=len(events))
    draws.shuffle(arriving)

    while arriving:
        size = draws.randint(1, len(arriving))
        tell(*arriving[:size])
        arriving = arriving[size:]

    expected: dict[UUID, int] = {}
    for task, moves in due.items():
        fee, reward = price(task)
        for sign, worker, _ in moves:
            expected[worker] = expected.get(worker, 0) + (reward if sign > 0 else -fee)
    kept = balances()
    assert {worker: kept[worker] for worker in expected} == expected


def test_consumers_at_once_miss_no_withdrawal_and_do_not_block_each_other() -> None:
    bob, cat = new_id(), new_id()
    deals = [(new_id(), new_id()) for _ in range(30)]
    failures: list[Exception] = []

    def consume(*events: Any) -> None:
        try:
            for event in events:
                tell(*event)
        except Exception as error:
            failures.append(error)
        store.close()

    fees = [(dealt((task, bob), run_id=run), completed(cat)) for task, run in deals]
    withdrawals = [(withdrawn(bob, task, run), added(cat), completed(bob)) for task, run in deals]
    consumers = [threading.Thread(target=consume, args=batch) for batch in (fees, withdrawals)]
    for consumer in consumers:
        consumer.start()
    for consumer in consumers:
        consumer.join()

    assert failures == []
    assert kinds() == {"deal_fee": 60, "completion_reward": 60, "reversal": 30}
    assert balances()[bob] == sum(
        row["signed_cents"]
        for row in primary.rows(
            "SELECT signed_cents FROM report_transfers WHERE kind = 'completion_reward'"
            " AND worker_id = %s",
            bob,
        )
    )
