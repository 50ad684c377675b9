"""The pages and their JSON twins."""

import csv
import io
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest

from common.events import TasksPriced
from tests.conftest import Cast, Client
from tests.tracker.conftest import NOW, added, asked, holder, many, work
from tracker import actions, domain, handlers
from tracker.models import primary

TASK = {
    "id", "title", "jira_id", "description", "status", "assignee", "added_by", "fee_cents",
    "reward_cents", "created_at", "completed_at",
}  # fmt: skip
SignIn = Callable[..., Client]


def titles(found: Any) -> list[str]:
    return [task["title"] for task in found["tasks"]]


def test_a_task_that_is_added_answers_as_the_thing_made(cast: Cast, client: SignIn) -> None:
    bob = client("tracker", cast.bob)

    made = bob.post("/tasks", {"title": "[SHOP-1] - Repair", "description": "It jams."})
    page = bob.post("/tasks", {"title": "Second"}, html=True)

    task = made.json
    assert made.status_code == 201
    assert set(task) == TASK | {"history"}
    assert (task["jira_id"], task["title"], task["status"]) == ("SHOP-1", "Repair", "open")
    assert task["added_by"] == {"id": str(cast.bob.id), "name": "Bob"}
    assert task["fee_cents"] is None
    assert (page.status_code, page.location[:7]) == (303, "/tasks/")
    assert bob.get(page.location).json["title"] == "Second"


def test_a_form_sent_twice_adds_one_task(cast: Cast, client: SignIn) -> None:
    bob = client("tracker", cast.bob)

    first = bob.post("/tasks", {"title": "Once", "form_key": "k1"})
    again = bob.post("/tasks", {"title": "Once", "form_key": "k1"})
    other = bob.post("/tasks", {"title": "Twice", "form_key": "k1"})

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json["id"] == again.json["id"]
    assert primary.value("SELECT count(*) FROM task") == 1


def test_bad_fields_come_back_as_typed(cast: Cast, client: SignIn) -> None:
    bob = client("tracker", cast.bob)

    twin = bob.post("/tasks", {"title": "", "jira_id": "nonsense"})
    page = bob.post("/tasks", {"title": "", "jira_id": "<nonsense>"}, html=True)

    assert twin.status_code == page.status_code == 422
    assert set(twin.json["fields"]) == {"title", "jira_id"}
    assert "&lt;nonsense&gt;" in page.text


def test_the_list_filters_by_status_assignee_and_words(cast: Cast, see: Any) -> None:
    mop = added(cast.ann, "Mop the Floor", jira_id="CLEAN-1")
    added(cast.ann, "Mop 50% of_the STRASSE")
    added(cast.ann, "Обновить Инструкцию")
    actions.complete_task(mop, by=(mopper := holder(mop)), now=NOW)

    assert titles(see(cast.bob, "/tasks")) == ["Обновить Инструкцию", "Mop 50% of_the STRASSE"]
    assert titles(see(cast.bob, "/tasks?status=done")) == ["Mop the Floor"]
    assert titles(see(cast.bob, "/tasks?status=withdrawn")) == []
    assert len(titles(see(cast.bob, "/tasks?status=all"))) == 3
    assert titles(see(cast.bob, "/tasks?status=all&q=floor+CLEAN-1")) == ["Mop the Floor"]
    assert titles(see(cast.bob, "/tasks?q=инструкцию+ОБНОВИТЬ")) == ["Обновить Инструкцию"]
    assert titles(see(cast.bob, "/tasks?q=stra%C3%9Fe")) == ["Mop 50% of_the STRASSE"]
    assert titles(see(cast.bob, "/tasks?q=50%25")) == ["Mop 50% of_the STRASSE"]
    assert titles(see(cast.bob, "/tasks?q=5%25of")) == []
    assert titles(see(cast.bob, "/tasks?q=f_the")) == ["Mop 50% of_the STRASSE"]
    assert titles(see(cast.bob, "/tasks?q=f%5C_the")) == []
    assert titles(see(cast.bob, f"/tasks?status=done&assignee={mopper}")) == ["Mop the Floor"]
    assert titles(see(cast.bob, f"/tasks?status=all&assignee={uuid4()}")) == []


@pytest.mark.parametrize(
    "word", ["会", "会議", "議室", "会議室", "A会", "室b", "회의", "ー", "ﾃｽ", "(会", "々", "%会"]
)
def test_short_words_of_dense_scripts_are_found(cast: Cast, see: Any, word: str) -> None:
    added(cast.ann, "議会 会 議 회 의 テ ス A 会 (人")
    added(cast.ann, "掃除する(会議室をa会議室B) 회의록 テストケース人々 50%会")

    found = titles(see(cast.bob, "/tasks?" + urlencode({"q": word})))

    assert found == [title for title in titles(see(cast.bob, "/tasks")) if is_in(word, title)]
    assert "掃除する(会議室をa会議室B) 회의록 テストケース人々 50%会" in found


def is_in(word: str, title: str) -> bool:
    return domain.folded(word) in domain.folded(title)


def test_mine_are_those_dealt_to_me(cast: Cast, see: Any) -> None:
    many(30, cast.ann)

    for who in cast.dealt_to:
        mine = see(who, "/tasks?assignee=me")["tasks"]
        assert mine
        assert {task["assignee"]["name"] for task in mine} == {who.name}
    assert see(cast.ann, "/tasks?assignee=me")["tasks"] == []


def test_the_list_is_paged_by_key_newest_first(cast: Cast, see: Any) -> None:
    task_ids = many(60, cast.ann)

    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = see(cast.bob, f"/tasks?cursor={cursor}")
        assert set(page) == {"tasks", "next", "as_of", "lag_s"}
        found += [task["id"] for task in page["tasks"]]
        cursor = page["next"]

    assert found == [str(each) for each in reversed(task_ids)]


def test_the_order_is_in_the_address(
    cast: Cast, client: SignIn, replayed: Callable[[], None]
) -> None:
    task_ids = many(60, cast.ann)
    prices = [(task, 1000, 2000 + 100 * (n % 20)) for n, task in enumerate(task_ids)]
    handlers.learn_prices([TasksPriced(prices=prices)])
    unpriced = added(cast.ann)
    replayed()
    bob = client("tracker", cast.bob)

    def walk(order: str) -> list[Any]:
        found, path = [], f"/tasks?sort={order}"
        while path:
            facts = bob.get(path).json
            found += facts["tasks"]
            path = facts["next"] and f"/tasks?sort={order}&cursor={facts['next']}"
        return found

    oldest, dearest = walk("oldest"), walk("reward")
    assert [task["id"] for task in oldest] == [str(each) for each in [*task_ids, unpriced]]
    keys = [(task["reward_cents"], task["id"]) for task in dearest]
    assert keys == sorted(keys, reverse=True)
    assert len(set(keys)) == 60
    assert 'aria-sort="descending"' in bob.get("/tasks?sort=reward", html=True).text


def test_words_found_are_marked(cast: Cast, client: SignIn, replayed: Callable[[], None]) -> None:
    added(cast.ann, "<b>Straße</b> 7", jira_id="STR-7")
    replayed()

    text = client("tracker", cast.bob).get("/tasks?q=STRASSE+7", html=True).text

    assert "&lt;b&gt;<mark>Straße</mark>&lt;/b&gt; <mark>7</mark>" in text
    assert "STR-<mark>7</mark>" in text


@pytest.mark.parametrize(
    "query", ["sort=up", "status=lost", "assignee=nobody", "q=" + "+".join("a" * 11)]
)
def test_a_filter_that_means_nothing_is_explained(cast: Cast, client: SignIn, query: str) -> None:
    added(cast.ann)
    bob = client("tracker", cast.bob)

    page = bob.get(f"/tasks?{query}", html=True)

    assert page.status_code == 422
    assert 'class="problem"' in page.text
    assert bob.get(f"/tasks?{query}").status_code == 422


@pytest.mark.parametrize("query", ["cursor=zzz", "q=%00", "q=%25", "q=%F0%9F%98%80", "cursor=W10"])
def test_an_odd_query_is_no_fault(cast: Cast, client: SignIn, query: str) -> None:
    added(cast.ann)

    assert client("tracker", cast.bob).get(f"/tasks?{query}").status_code == 200


def test_counts_are_exact_to_a_thousand(
    cast: Cast, client: SignIn, replayed: Callable[[], None]
) -> None:
    many(1000, cast.ann)
    replayed()
    exact = client("tracker", cast.bob).get("/tasks", html=True).text
    added(cast.ann)
    replayed()
    more = client("tracker", cast.bob).get("/tasks", html=True).text

    assert "1,000 in all" in exact
    assert "1,000+ in all" in more


def test_csv_streams_all_that_the_filter_matches(
    cast: Cast, client: SignIn, replayed: Callable[[], None]
) -> None:
    many(300, cast.ann)
    added(cast.ann, "=cmd|evil", description="a,b\n“c”")
    handlers.learn_prices([TasksPriced(prices=[(task, 1200, 3400) for task in ids()])])
    replayed()

    answer = client("tracker", cast.bob).get("/tasks.csv")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.mimetype == "text/csv"
    assert len(rows) == 301
    assert set(rows[0]) == TASK
    assert (rows[0]["title"], rows[0]["description"]) == ("'=cmd|evil", "a,b\n“c”")
    assert (rows[0]["fee_cents"], rows[0]["reward_cents"]) == ("1200", "3400")
    assert rows[0]["added_by"] == "Ann"


def ids() -> list[UUID]:
    return [row["id"] for row in primary.rows("SELECT id FROM task")]


def test_prices_are_learnt_once_in_any_order(cast: Cast, see: Any) -> None:
    early, task_id = uuid4(), added(cast.ann)

    handlers.learn_prices([TasksPriced(prices=[(task_id, 1500, 2500), (early, 1, 1)])])
    handlers.learn_prices([TasksPriced(prices=[(task_id, 1, 1), (task_id, 2, 2)])])
    handlers.learn_prices([TasksPriced(prices=[])])

    task = see(cast.bob, f"/tasks/{task_id}")
    assert (task["fee_cents"], task["reward_cents"]) == (1500, 2500)


def test_completing_through_the_page(cast: Cast, client: SignIn) -> None:
    task_id = added(cast.ann)
    mine = next(each for each in cast if each.id == holder(task_id))
    other = next(each for each in cast.dealt_to if each != mine)
    path = f"/tasks/{task_id}/completion"

    assert client("tracker", other).post(path).status_code == 403
    done = client("tracker", mine).post(path)
    again = client("tracker", mine).post(path)

    assert (done.status_code, done.json["status"]) == (200, "done")
    assert done.json["completed_at"] is not None
    assert again.status_code == 409
    assert "error" in again.json
    assert client("tracker", mine).post(f"/tasks/{uuid4()}/completion").status_code == 404


def test_only_managers_withdraw(cast: Cast, client: SignIn) -> None:
    path = f"/tasks/{added(cast.bob)}/withdrawal"

    assert client("tracker", cast.bob).post(path).status_code == 403
    assert client("tracker", cast.ann).post(path).json["status"] == "withdrawn"
    assert client("tracker", cast.fay).post(path).status_code == 409


def test_an_absent_field_is_unchanged_by_an_edit(cast: Cast, client: SignIn) -> None:
    path = f"/tasks/{added(cast.bob, 'Old', jira_id='A-1', description='Long')}"
    bob = client("tracker", cast.bob)

    new_title = bob.post(path, {"title": "New"}).json
    new_key = bob.post(path, {"title": "[B-2] - New"}).json
    refused = bob.post(path, {"title": ""}, html=True)

    assert (new_title["title"], new_title["jira_id"]) == ("New", "A-1")
    assert (new_key["title"], new_key["jira_id"], new_key["description"]) == ("New", "B-2", "Long")
    assert refused.status_code == 422
    assert client("tracker", cast.cat).post(path, {"title": "Mine"}).status_code == 403


def test_every_page_opens_for_whom_it_is_for(
    cast: Cast, client: SignIn, replayed: Callable[[], None]
) -> None:
    task_id = added(cast.bob, "<b>bold</b>", description="one\n\ntwo\nthree")
    run_id = asked(cast.ann)
    work()
    replayed()
    for_all = ["/tasks", "/tasks?status=all", "/tasks/new", f"/tasks/{task_id}"]
    for_managers = [
        "/tasks/import",
        "/reassignments",
        "/reassignments?kind=departure",
        "/reassignments/new",
        f"/reassignments/{run_id}",
        f"/reassignments/{run_id}?check=all",
        f"/tasks/{task_id}/edit",
    ]

    for path in [*for_all, *for_managers]:
        page = client("tracker", cast.ann).get(path, html=True)
        assert page.status_code == 200, path
        assert "<b>bold" not in page.text
    for path in for_all:
        assert client("tracker", cast.cat).get(path, html=True).status_code == 200
    for path in for_managers:
        assert client("tracker", cast.cat).get(path, html=True).status_code == 403, path


def test_an_event_that_could_not_be_handled_is_discarded_by_an_admin(
    cast: Cast, client: SignIn
) -> None:
    dead_id = primary.value(
        "INSERT INTO dead_letter (stream, entry_id, event, error, trace, deliveries)"
        " VALUES ('events:gateway', '1-1', '{}', 'odd', '', 3) RETURNING id"
    )
    path = f"/events/tracker/dead/{dead_id}/discard"

    assert client("tracker", cast.ann).post(path, {"reason": "x"}).status_code == 403
    assert client("tracker", cast.fay).post(path, {"reason": "a joke"}).status_code == 200
    assert primary.value("SELECT count(*) FROM dead_letter") == 0
