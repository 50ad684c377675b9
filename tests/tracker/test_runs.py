"""Runs over open tasks: every one dealt once, whatever happens to the job."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from common import chance
from common.errors import Conflict, NotFound
from common.events import TasksDealt
from tests.conftest import Cast
from tests.tracker.conftest import (
    NOW,
    added,
    asked,
    dealt_in,
    facts,
    held,
    holder,
    many,
    run_row,
    work,
)
from tracker import actions, domain, jobs, reassignments, runs
from tracker.models import primary


def test_every_open_task_is_dealt_anew_and_told_once(cast: Cast) -> None:
    task_ids = many(2300, cast.ann)
    actions.complete_task(task_ids[7], by=holder(task_ids[7]), now=NOW)

    run_id = asked(cast.ann)
    jobs.tick()

    run = run_row(run_id)
    workers = [each.id for each in cast.dealt_to]
    told = dealt_in(run_id)
    assert (run["state"], run["total"], run["done"], run["dealt"]) == ("done", 2299, 2299, 2299)
    assert len(told) == 2299
    assert dict(told) == held()
    assert all(domain.deal(t, workers, bytes(run["seed"])) == w for t, w in told)
    assert max(len(fact.deals) for fact in facts(TasksDealt)) == 1000
    shares = Counter(held().values())
    assert reassignments.drawn_again(primary, run_id) == (
        2299, 0, 3, min(shares.values()), max(shares.values())
    )  # fmt: skip


@pytest.mark.promise(29)
def test_a_job_cut_off_half_way_is_gone_on_with(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(100, cast.ann)
    run_id = asked(cast.ann)
    for _ in range(4):
        runs.step(now=NOW, size=10)
    advance = runs.advance

    def cut_off(*args: object, **kwargs: object) -> None:
        advance(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "advance", cut_off)
    with pytest.raises(KeyboardInterrupt):
        runs.step(now=NOW, size=10)
    monkeypatch.setattr(runs, "advance", advance)
    assert run_row(run_id)["done"] == 30
    work(size=10)

    assert run_row(run_id)["state"] == "done"
    assert set(Counter(task_id for task_id, _ in dealt_in(run_id)).values()) == {1}
    assert dict(dealt_in(run_id)) == held()


@pytest.mark.promise(28)
@pytest.mark.promise(29)
def test_two_jobs_at_once_deal_each_task_once(cast: Cast) -> None:
    many(400, cast.ann)
    run_id = asked(cast.ann)

    def job() -> None:
        work(size=10)
        primary.close_quietly()

    threads = [threading.Thread(target=job) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work(size=10)

    told = dealt_in(run_id)
    assert run_row(run_id)["state"] == "done"
    assert len(told) == 400
    assert dict(told) == held()


def test_tasks_ended_and_added_meanwhile_are_left_alone(cast: Cast) -> None:
    task_ids = many(100, cast.ann)
    run_id = asked(cast.ann)
    for _ in range(6):
        runs.step(now=NOW, size=10)
    passed, ahead = task_ids[3], task_ids[90]
    actions.complete_task(passed, by=holder(passed), now=NOW + timedelta(seconds=1))
    actions.complete_task(ahead, by=holder(ahead), now=NOW + timedelta(seconds=1))
    late = added(cast.bob)
    dones = [run_row(run_id)["done"]]
    while runs.step(now=NOW, size=10):
        dones.append(run_row(run_id)["done"])

    run = run_row(run_id)
    told = dict(dealt_in(run_id))
    assert (run["total"], run["done"], run["dealt"]) == (100, 100, 99)
    assert dones == [50, 60, 70, 80, 90, 100]
    assert passed in told
    assert not {ahead, late} & set(told)


def test_a_second_request_joins_the_first_also_while_it_is_paused(cast: Cast) -> None:
    many(30, cast.ann)
    run_id, is_new = runs.request_reassignment(by=cast.ann.id, now=NOW, seed=chance.new_seed())
    again, is_new_again = runs.request_reassignment(by=cast.fay.id, now=NOW, seed=chance.new_seed())
    work_once = runs.step(now=NOW, size=10)
    runs.pause(run_id)
    paused = asked(cast.fay)

    assert (is_new, is_new_again, work_once) == (True, False, True)
    assert again == paused == run_id


def test_ten_requests_at_once_are_one_run(cast: Cast) -> None:
    many(5, cast.ann)
    found: list[UUID] = []

    def request() -> None:
        found.append(asked(cast.ann))
        primary.close_quietly()

    threads = [threading.Thread(target=request) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 10
    assert len(set(found)) == 1


def test_a_paused_run_rests_and_goes_on(cast: Cast) -> None:
    many(50, cast.ann)
    run_id = asked(cast.ann)
    runs.step(now=NOW, size=10)
    runs.step(now=NOW, size=10)

    runs.pause(run_id)
    runs.pause(run_id)
    assert work(size=10) == 0
    runs.resume(run_id)
    runs.resume(run_id)
    work(size=10)

    assert run_row(run_id)["state"] == "done"
    for steer in (runs.pause, runs.resume, lambda each: runs.cancel(each, now=NOW)):
        with pytest.raises(Conflict, match="is done"):
            steer(run_id)


def test_a_run_paused_before_it_began_starts_when_resumed(cast: Cast) -> None:
    many(5, cast.ann)
    run_id = asked(cast.ann)

    runs.pause(run_id)
    assert work() == 0
    runs.resume(run_id)
    work()

    assert run_row(run_id)["dealt"] == 5


def test_what_a_cancelled_run_dealt_stays_dealt(cast: Cast) -> None:
    many(50, cast.ann)
    before = held()
    run_id = asked(cast.ann)
    runs.step(now=NOW, size=10)
    runs.step(now=NOW, size=10)

    runs.cancel(run_id, now=NOW)
    runs.cancel(run_id, now=NOW)
    assert work() == 0

    told = dict(dealt_in(run_id))
    assert len(told) == 10
    assert held() == before | told
    assert run_row(run_id)["finished_at"] == NOW


def test_there_is_no_reassignment_with_nobody_to_deal_to(
    cast: Cast, change: Callable[..., None]
) -> None:
    many(5, cast.ann)
    run_id = asked(cast.ann)
    for who in cast.dealt_to:
        change(who, is_active=False)

    jobs.tick()
    with pytest.raises(Conflict, match="nobody"):
        asked(cast.ann)

    assert run_row(run_id)["state"] == "failed"
    assert "nobody" in run_row(run_id)["error"]


def test_a_reassignment_of_nothing_is_done_at_once(cast: Cast) -> None:
    run_id = asked(cast.ann)
    work()

    run = run_row(run_id)
    assert (run["state"], run["total"], run["done"]) == ("done", 0, 0)


def test_a_run_there_is_not_cannot_be_steered(cast: Cast) -> None:
    with pytest.raises(NotFound):
        runs.pause(uuid4())
