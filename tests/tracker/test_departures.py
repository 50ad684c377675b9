"""Departures: the open tasks of who is no longer dealt to go to the others."""

from collections.abc import Callable

import pytest

from common.errors import Conflict
from common.events import UserAdded
from tests.conftest import Cast
from tests.tracker.conftest import NOW, asked, dealt_in, held, many, run_row, work
from tracker import handlers, jobs, runs
from tracker.models import primary


def test_the_open_tasks_of_who_left_are_dealt_to_the_others(
    cast: Cast, change: Callable[..., None]
) -> None:
    many(60, cast.ann)
    before = held()

    change(cast.bob, role="manager")
    jobs.tick()

    left = {task_id for task_id, holder_id in before.items() if holder_id == cast.bob.id}
    run = primary.row("SELECT * FROM run WHERE kind = 'departure'")
    assert run
    assert left
    assert run["total"] == run["done"] == run["dealt"] == len(left)
    assert {task_id for task_id, _ in dealt_in(run["id"])} == left
    assert cast.bob.id not in held().values()
    assert {t: w for t, w in held().items() if t not in left} == {
        t: w for t, w in before.items() if t not in left
    }
    with pytest.raises(Conflict, match="Only reassignments"):
        runs.pause(run["id"])


def test_a_departure_waits_for_the_reassignment_that_still_deals_to_the_leaver(
    cast: Cast, change: Callable[..., None]
) -> None:
    many(60, cast.ann)
    run_id = asked(cast.ann)
    runs.step(now=NOW, size=10)
    runs.step(now=NOW, size=10)
    runs.pause(run_id)

    change(cast.bob, is_active=False)
    assert work(size=10) == 0
    runs.resume(run_id)
    work(size=10)
    jobs.tick()

    assert run_row(run_id)["state"] == "done"
    assert cast.bob.id in dict(dealt_in(run_id)).values()
    assert cast.bob.id not in held().values()


def test_tasks_dealt_to_somebody_unheard_of_leaving_are_found_by_the_tick(
    cast: Cast, change: Callable[..., None]
) -> None:
    many(30, cast.ann)
    change(cast.bob, is_active=False)
    jobs.tick()
    primary.run("UPDATE deal SET assignee_id = %s", cast.bob.id)

    jobs.tick()

    assert cast.bob.id not in held().values()
    jobs.tick()
    assert primary.value("SELECT count(*) FROM run WHERE kind = 'departure'") == 2


def test_a_departure_with_nobody_left_waits_for_somebody(
    cast: Cast, change: Callable[..., None]
) -> None:
    many(100, cast.ann)
    for who in cast.dealt_to:
        change(who, is_active=False)
    jobs.tick()
    assert primary.value("SELECT count(*) FROM run WHERE state = 'requested'") == 3

    change(cast.cat)
    jobs.tick()

    assert set(held().values()) == {cast.cat.id}


def test_older_news_of_a_person_changes_nothing(cast: Cast, change: Callable[..., None]) -> None:
    change(cast.bob, is_active=False)

    news = UserAdded(
        user_id=cast.bob.id,
        email=cast.bob.email,
        name=cast.bob.name,
        role="worker",
        is_active=True,
        user_version=1,
    )
    handlers.learn_people([news])

    assert primary.value("SELECT is_active FROM person WHERE id = %s", cast.bob.id) is False
