"""Tasks: add, import, complete, withdraw, edit."""

import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from common import chance
from common.errors import Conflict, Forbidden, NotFound
from common.events import TaskAdded, TaskCompleted, TasksDealt, TaskWithdrawn
from tests.conftest import Cast, Person
from tests.tracker.conftest import NOW, added, facts, held, holder, many
from tracker import actions, domain
from tracker.domain import Draft
from tracker.models import primary


def test_a_task_that_anybody_adds_is_dealt_by_lot_and_told(cast: Cast) -> None:
    seed = chance.new_seed()
    draft = Draft("Repair the till", "SHOP-1", "It jams.")

    task_id = actions.add_task(draft, by=cast.cat.id, now=NOW, seed=seed)

    lucky = domain.deal(task_id, [each.id for each in cast.dealt_to], seed)
    (fact,) = facts(TaskAdded)
    assert held() == {task_id: lucky}
    assert (fact.task_id, fact.assignee_id, fact.added_by) == (task_id, lucky, cast.cat.id)
    assert (fact.title, fact.jira_id, fact.added_at) == ("Repair the till", "SHOP-1", NOW)
    assert primary.value("SELECT run_id FROM deal") == fact.run_id


def test_with_nobody_to_deal_to_no_task_is_added(cast: Cast, change: Callable[..., None]) -> None:
    for who in cast.dealt_to:
        change(who, is_active=False)

    with pytest.raises(Conflict, match="nobody"):
        added(cast.ann)

    assert primary.value("SELECT count(*) FROM task") == 0
    assert facts(TaskAdded) == []


def test_an_import_is_one_run_told_in_thousands(cast: Cast) -> None:
    task_ids = many(2500, cast.ann)

    told = facts(TasksDealt)
    pairs = [pair for fact in told for pair in fact.deals]
    seed = bytes(primary.value("SELECT seed FROM run"))
    workers = [each.id for each in cast.dealt_to]
    assert sorted(len(fact.deals) for fact in told) == [500, 1000, 1000]
    assert len({fact.run_id for fact in told}) == 1
    assert {fact.dealt_at for fact in told} == {NOW}
    assert dict(pairs) == held() == {each: domain.deal(each, workers, seed) for each in task_ids}


def test_an_import_of_nothing_is_nothing(cast: Cast) -> None:
    assert actions.import_tasks([], by=cast.ann.id, now=NOW, seed=chance.new_seed()) == 0
    assert primary.value("SELECT count(*) FROM run") == 0


def test_its_assignee_completes_a_task_once(cast: Cast) -> None:
    task_id = added(cast.ann)
    assignee_id = holder(task_id)

    actions.complete_task(task_id, by=assignee_id, now=NOW)
    with pytest.raises(Conflict, match="done already"):
        actions.complete_task(task_id, by=assignee_id, now=NOW)

    (fact,) = facts(TaskCompleted)
    assert (fact.task_id, fact.assignee_id, fact.completed_at) == (task_id, assignee_id, NOW)
    assert held() == {}


def test_nobody_else_completes_it(cast: Cast) -> None:
    task_id = added(cast.ann)
    others = [each for each in cast if each.id != holder(task_id)]

    for other in others:
        with pytest.raises(Forbidden):
            actions.complete_task(task_id, by=other.id, now=NOW)

    assert facts(TaskCompleted) == []
    assert list(held()) == [task_id]


def test_of_many_who_complete_it_at_once_one_succeeds(cast: Cast) -> None:
    task_id = added(cast.ann)
    assignee_id = holder(task_id)
    outcomes: list[str] = []

    def complete() -> None:
        try:
            actions.complete_task(task_id, by=assignee_id, now=NOW)
            outcomes.append("done")
        except Conflict:
            outcomes.append("refused")
        finally:
            primary.close_quietly()

    clicks = [threading.Thread(target=complete) for _ in range(8)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()

    assert sorted(outcomes) == ["done"] + ["refused"] * 7
    assert len(facts(TaskCompleted)) == 1


def test_a_withdrawn_task_tells_whose_fee_of_which_run_goes_back(cast: Cast) -> None:
    task_id = added(cast.bob)
    assignee_id = holder(task_id)

    actions.withdraw_task(task_id, by=cast.ann.id, now=NOW)
    with pytest.raises(Conflict, match="withdrawn already"):
        actions.withdraw_task(task_id, by=cast.ann.id, now=NOW)
    with pytest.raises(Conflict, match="withdrawn already"):
        actions.complete_task(task_id, by=assignee_id, now=NOW)

    (fact,) = facts(TaskWithdrawn)
    (deal,) = facts(TaskAdded)
    assert (fact.task_id, fact.run_id, fact.assignee_id) == (task_id, deal.run_id, assignee_id)


def edit(task_id: UUID, who: Person, title: str = "Mop the floor") -> bool:
    return actions.edit_task(task_id, Draft(title), by=who.id, role=who.role, now=NOW)


def test_who_added_it_and_managers_change_an_open_task(cast: Cast) -> None:
    task_id = added(cast.bob)

    assert edit(task_id, cast.bob, "First")
    assert edit(task_id, cast.ann, "Second")
    assert edit(task_id, cast.fay, "Third")
    assert not edit(task_id, cast.fay, "Third")
    with pytest.raises(Forbidden):
        edit(task_id, cast.cat, "Fourth")

    text = primary.row("SELECT title, search_text FROM task")
    assert text == {"title": "Third", "search_text": "\nthird"}
    assert primary.value("SELECT count(*) FROM edit") == 3


def test_a_task_that_ended_is_not_changed_any_more(cast: Cast) -> None:
    task_id = added(cast.bob)
    actions.complete_task(task_id, by=holder(task_id), now=NOW)

    with pytest.raises(Conflict, match="done already"):
        edit(task_id, cast.ann)


def test_a_task_there_is_not_is_not_found(cast: Cast) -> None:
    for act in (
        lambda: actions.complete_task(uuid4(), by=cast.bob.id, now=NOW),
        lambda: actions.withdraw_task(uuid4(), by=cast.ann.id, now=NOW),
        lambda: edit(uuid4(), cast.ann),
    ):
        with pytest.raises(NotFound):
            act()
