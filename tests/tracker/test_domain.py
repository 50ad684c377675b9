"""The rules, without a database but for the draw it must agree with."""

import runpy
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

import tracker
from common.config import Config
from common.errors import Conflict, Forbidden, Invalid
from tests.conftest import Cast
from tests.tracker.conftest import added
from tracker import domain, forms
from tracker.models import primary

MIGRATIONS = Path(tracker.__file__).parent / "migrations"
DRAW = """
    SELECT worker_ids[1 + draw('deal', %s, %s, cardinality(worker_ids))]
    FROM (SELECT %s::uuid[] AS worker_ids) AS roster
"""


@how(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.uuids(), st.lists(st.uuids(), min_size=1, max_size=50), st.binary(min_size=32, max_size=32)
)
def test_sql_and_python_deal_a_task_to_the_same_worker(
    settings: Config, task_id: UUID, workers: list[UUID], seed: bytes
) -> None:
    workers = sorted(workers)

    by_sql = primary.value(DRAW, seed, task_id, [str(each) for each in workers])

    assert by_sql == domain.deal(task_id, workers, seed)


def test_each_worker_is_dealt_about_the_same() -> None:
    workers = sorted(uuid4() for _ in range(10))
    seed = bytes(range(32))

    counts = dict.fromkeys(workers, 0)
    for number in range(20_000):
        counts[domain.deal(UUID(int=number), workers, seed)] += 1

    # Six standard deviations around 2,000.
    assert all(1745 < count < 2255 for count in counts.values())


def test_nobody_can_be_dealt_nothing() -> None:
    with pytest.raises(Conflict, match="nobody"):
        domain.deal(uuid4(), [], bytes(32))


@pytest.mark.parametrize(
    ("typed", "key", "title"),
    [
        ("[SHOP-12] - Repair the till", "SHOP-12", "Repair the till"),
        ("[A-1] - [B-2] - both", "A-1", "[B-2] - both"),
        ("[shop-12] - Repair", None, "[shop-12] - Repair"),
        ("[SHOP-12]- Repair", None, "[SHOP-12]- Repair"),
        ("[SHOP-١] - Repair", None, "[SHOP-١] - Repair"),
        ("Обычная задача", None, "Обычная задача"),
    ],
)
def test_a_title_is_split_into_key_and_title(typed: str, key: str | None, title: str) -> None:
    draft = forms.draft({"title": typed})

    assert (draft.jira_id, draft.title) == (key, title)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, {"title"}),
        ({"title": "  "}, {"title"}),
        ({"title": "x" * 201}, {"title"}),
        ({"title": "two\nlines"}, {"title"}),
        ({"title": "nul\x00"}, {"title"}),
        ({"title": "fine", "jira_id": "shop-1"}, {"jira_id"}),
        ({"title": "[A-1] - fine", "jira_id": "B-2"}, {"jira_id"}),
        ({"title": "fine", "description": "x" * 10_001}, {"description"}),
        ({"title": "fine", "description": "bell\x07"}, {"description"}),
        ({"title": "", "jira_id": "no"}, {"title", "jira_id"}),
    ],
)
def test_what_cannot_be_a_task_is_said_at_its_field(
    fields: dict[str, str], refused: set[str]
) -> None:
    with pytest.raises(Invalid) as error:
        forms.draft(fields)

    assert set(error.value.fields) == refused


def test_a_title_may_have_two_hundred_characters_behind_its_key() -> None:
    draft = forms.draft({"title": "[LONG-1] - " + "ü" * 200, "description": "one\r\ntwo\tthree"})

    assert len(draft.title) == 200
    assert draft.description == "one\ntwo\tthree"


@given(st.text(max_size=20))
def test_a_word_is_found_in_its_own_capitals(word: str) -> None:
    text = domain.folded(word)

    assert domain.folded(text) == domain.folded(domain.folded(text))


def test_only_the_assignee_completes_and_only_who_may_edits() -> None:
    me, other = uuid4(), uuid4()

    domain.check_may_complete(me, by=me)
    domain.check_may_edit(me, by=me, role="worker")
    domain.check_may_edit(me, by=other, role="manager")
    with pytest.raises(Forbidden):
        domain.check_may_complete(me, by=other)
    with pytest.raises(Forbidden):
        domain.check_may_edit(me, by=other, role="accountant")


def test_texts_from_before_become_what_the_rules_say(cast: Cast) -> None:
    for title in ("議会 会 議 회 x", "Обновить", "掃除する(会議室をa会議室B) ﾃｽﾄ"):
        for key in ("SHOP-1", None):
            added(cast.ann, title, jira_id=key)
    before = "split_part(search_text, E'\\n', 1) || E'\\n' || split_part(search_text, E'\\n', 2)"
    primary.run(f"UPDATE task SET search_text = {before}")

    apart = runpy.run_path(str(MIGRATIONS / "0010_expand_characters_apart.py"))["APART"]
    for _ in range(2):
        primary.execute_sql(apart)

    for row in primary.rows("SELECT title, jira_id, search_text FROM task"):
        draft = domain.Draft(row["title"], row["jira_id"])
        assert row["search_text"] == domain.search_text(draft)
