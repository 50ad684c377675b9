"""A task's deals are not stored; they are drawn again and must be what happened."""

import random
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from common.events import TasksPriced
from tests.conftest import Cast
from tests.tracker.conftest import NOW, added, asked, held, holder, many, work
from tracker import actions, handlers, runs, tasks
from tracker.domain import Draft
from tracker.models import primary


def told(task_id: UUID) -> list[tuple[str, UUID | None]]:
    history = tasks.one(primary, task_id)["history"]
    return [(each["what"], each["assignee"] and each["assignee"]["id"]) for each in history]


def last_deal(task_id: UUID) -> UUID:
    return next(each for _, each in reversed(told(task_id)) if each)


def test_a_life_is_told_from_the_first_deal_to_the_end(cast: Cast) -> None:
    task_id = added(cast.bob)
    first = holder(task_id)
    actions.edit_task(
        task_id, Draft("Mop"), by=cast.bob.id, role="worker", now=NOW + timedelta(minutes=1)
    )
    run_id = asked(cast.ann, 2)
    work(2)
    second = holder(task_id)
    actions.complete_task(task_id, by=second, now=NOW + timedelta(minutes=3))

    history = tasks.one(primary, task_id)["history"]

    assert told(task_id) == [
        ("added", first),
        ("edited", None),
        ("reassigned", second),
        ("completed", None),
    ]
    assert [each["by"]["name"] for each in history[:3]] == ["Bob", "Bob", "Ann"]
    assert history[3]["by"]["id"] == second
    assert history[2]["run_id"] == run_id


def test_each_step_says_what_it_cost_or_paid(cast: Cast) -> None:
    done, withdrawn, unpriced = added(cast.bob), added(cast.bob), added(cast.bob)
    handlers.learn_prices([TasksPriced(prices=[(done, 1200, 3400), (withdrawn, 1500, 2000)])])
    asked(cast.ann, 1)
    work(1)
    actions.complete_task(done, by=holder(done), now=NOW + timedelta(minutes=3))
    actions.withdraw_task(withdrawn, by=cast.ann.id, now=NOW + timedelta(minutes=3))

    def amounts(task_id: UUID) -> list[int | None]:
        return [each["amount_cents"] for each in tasks.one(primary, task_id)["history"]]

    assert amounts(done) == [-1200, -1200, 3400]
    assert amounts(withdrawn) == [-1500, -1500, 1500]
    assert amounts(unpriced) == [None, None]


def test_runs_stay_in_their_order_when_clocks_do_not(cast: Cast) -> None:
    task_id = added(cast.bob)
    asked(cast.ann, 5)
    work(5)
    asked(cast.ann, 2)
    work(2)

    history = tasks.one(primary, task_id)["history"]

    assert last_deal(task_id) == holder(task_id)
    assert [each["at"] for each in history] == sorted(each["at"] for each in history)


def test_a_run_that_did_not_reach_a_task_is_not_in_its_history(cast: Cast) -> None:
    task_ids = many(20, cast.ann)
    run_id = asked(cast.ann, 1)
    runs.step(now=NOW, size=10)
    runs.step(now=NOW, size=10)
    actions.complete_task(task_ids[15], by=holder(task_ids[15]), now=NOW + timedelta(minutes=2))
    runs.cancel(run_id, now=NOW + timedelta(minutes=3))
    late = added(cast.bob)

    assert [what for what, _ in told(task_ids[3])] == ["added", "reassigned"]
    assert [what for what, _ in told(task_ids[12])] == ["added"]
    assert [what for what, _ in told(task_ids[15])] == ["added", "completed"]
    assert [what for what, _ in told(late)] == ["added"]


def test_the_last_deal_drawn_again_is_where_each_task_stands(
    cast: Cast, change: Callable[..., None]
) -> None:
    chosen = random.Random(7)
    people = list(cast.dealt_to)
    for minute in range(1, 13):
        many(15, cast.ann)
        leaver = chosen.choice(people)
        if chosen.random() < 0.6:
            change(leaver, is_active=False)
        run_id = asked(cast.ann, minute)
        for _ in range(chosen.randrange(4)):
            runs.step(now=NOW + timedelta(minutes=minute), size=20)
        for task_id, assignee_id in chosen.sample(sorted(held().items()), 3):
            actions.complete_task(
                task_id, by=assignee_id, now=NOW + timedelta(minutes=minute, seconds=30)
            )
        if chosen.random() < 0.4:
            runs.cancel(run_id, now=NOW + timedelta(minutes=minute, seconds=40))
        work(minute, size=20)
        change(leaver)

    stand = primary.rows("SELECT task_id, assignee_id FROM standing")
    assert len(stand) == 180
    assert {row["task_id"]: row["assignee_id"] for row in stand} == {
        row["task_id"]: last_deal(row["task_id"]) for row in stand
    }
