"""Pages do not grow with what there is: no query of theirs reads a large table from end to end."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from accounting import actions, books, handlers, payouts
from bench import generate
from bench.world import World
from common import clock
from common.config import Config
from common.db import Server
from common.events import TaskCompleted
from tests.conftest import Cast, Client
from tests.gateway.conftest import Browser, password_hash
from tracker import domain, tasks, views

# All there is in these is read by some page, and there will never be much: a row a day, a service,
# a group of people, or a mistake.
SMALL = {
    "business_day", "payout_run", "stream_state", "tally", "roster", "dead_letter",
    "discarded_letter", "bus_log",
}  # fmt: skip
# Other queries on the same pages.
VARIANTS = {
    "/tasks": [
        "status=all", "status=done", "assignee=me", "q=насос", "q=door+shop", "q=修理清掃",
        "status=all&q=roof&assignee=me",
    ],
    "/earnings": ["kind=deal_fee", "since=2020-01-01&until=2030-01-01"],
    "/earnings/people": ["q=Fatima"],
    "/mail": ["state=sent"],
    "/reassignments": ["kind=departure"],
    "/users": ["q=Fatima", "role=worker"],
}  # fmt: skip
STREAMED = (".csv", ".svg")
# Asked by machines, or by people who are not signed in.
ELSEWHERE = {
    "/healthz", "/readyz", "/metrics", "/account/reset/<token>", "/login",
    "/static/<path:filename>",
}  # fmt: skip
VARIABLE = re.compile(r"(<(?:[^>]*:)?(\w+)>)")
SIGN_UP = """
    INSERT INTO person (id, email, name, role, password_hash, created_at)
    VALUES (%s, %s, 'Fay', 'admin', %s, now())
"""
ENDED = """
    WITH ended AS (
        DELETE FROM deal WHERE task_id IN (SELECT task_id FROM deal {}) RETURNING *
    )
    INSERT INTO outcome
    SELECT task_id, 'done', assignee_id, run_id, assignee_id, now() FROM ended
"""
# What the generator does not make.
FILL = {
    "tracker": [
        ENDED.format("LIMIT 2000"),
        "INSERT INTO run (kind, state, seed, requested_at, finished_at)"
        " SELECT 'addition', 'done', sha256(n::text::bytea), now(), now()"
        " FROM generate_series(1, 2000) AS n",
    ],
    "accounting": [
        "INSERT INTO pricing (seed, priced_at)"
        " SELECT sha256(n::text::bytea), now() FROM generate_series(1, 2000) AS n",
    ],
    "mailer": [
        "INSERT INTO letter (kind, cause_id, person_id, subject, payload, state, next_attempt_at)"
        " SELECT 'link', new_id(), new_id(), '', json_build_object('link_id', new_id(),"
        " 'user_id', new_id(), 'purpose', 'reset', 'expires_at', now()), 'unaddressed', now()"
        " FROM generate_series(1, 2000)",
    ],
}
APPS = ("tracker", "accounting", "analytics", "mailer")


# Whether there is an index to follow, however little there is to read without it.
INDEXES_ONLY = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"
# What reads one row a person, of whom there are far fewer than tasks or transfers.
A_ROW_A_PERSON = {"gateway /users": {"person"}}


class Seen(NamedTuple):
    """A query a page asked, and how it is done when whole tables are to be kept out of."""

    page: str
    sql: str
    plan: dict[str, Any]


def faults_of(plan: dict[str, Any], is_limited: bool = False) -> Iterator[str]:
    """The tables of which the plan reads everything.  Behind a limit an index in order is fine."""
    kind, table = plan["Node Type"], plan.get("Relation Name")
    if "One-Time Filter" in plan:
        return  # done only if there is no better way
    is_whole = kind == "Seq Scan" or (
        kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in plan and not is_limited
    )
    if table and table not in SMALL and is_whole:
        yield f"{kind} on {table}"
    is_limited = kind == "Limit" or (is_limited and kind not in ("Sort", "Hash", "Aggregate"))
    for part in plan.get("Plans", ()):
        yield from faults_of(part, is_limited)


class Asked:
    """What was asked so far, and for which page."""

    def __init__(self) -> None:
        self.page = ""
        self.queries: list[Seen] = []


def at_once(work: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """As `later`, but while it is known which page asks."""
    found = work(*arguments)
    return lambda: found


@pytest.fixture
def seen(company: World, monkeypatch: pytest.MonkeyPatch) -> Asked:
    found, ask = Asked(), Server.execute_sql

    def execute_sql(self: Server, sql: str, params: Any = None) -> Any:
        if found.page and sql.split(None, 1)[0] in ("SELECT", "WITH") and "INSERT" not in sql:
            ask(self, INDEXES_ONLY)
            plan = ask(self, f"EXPLAIN (FORMAT JSON) {sql}", params).fetchone()[0][0]["Plan"]
            found.queries.append(Seen(found.page, sql, plan))
        return ask(self, sql, params)

    monkeypatch.setattr(Server, "execute_sql", execute_sql)
    monkeypatch.setattr(views, "later", at_once)
    return found


@pytest.fixture
def company(settings: Config, cast: Cast, replayed: Callable[[], None]) -> World:
    """Enough of everything for an index to be worth its while."""
    made = World(None, is_full=False)  # type: ignore[arg-type]
    made.settings = settings
    books.prepare()
    generate.people(made, 2000)
    generate.tasks(made, 5000)
    generate.redealt(made, 1)
    now = clock.now()
    actions.close_day(books.today(now), by=None, now=now)
    payouts.pay_all(now=now)
    generate.redealt(made, 1)
    with made.db("accounting").atomic():
        handlers.pay_rewards([
            TaskCompleted(task_id=row["task_id"], assignee_id=row["assignee_id"], completed_at=now)
            for row in made.db("tracker").rows("SELECT * FROM deal LIMIT 2000")
        ])  # fmt: skip
    for service, sql in FILL.items():
        for statement in sql:
            made.db(service).execute_sql(statement)
        made.db(service).execute_sql("ANALYZE")
    replayed()
    return made


def examples(world: World) -> dict[str, str]:
    """What a variable of an address can stand for, by service and name, or by name alone."""

    def found(service: str, sql: str) -> str:
        return str(world.db(service).value(sql))

    person = found("gateway", f"SELECT id {generate.GENERATED} LIMIT 1")
    of_person = f"SELECT id FROM transfer WHERE worker_id = '{person}' LIMIT 1"
    return {
        "task_id": found("tracker", "SELECT task_id FROM deal LIMIT 1"),
        "user_id": person,
        "transfer_id": found("accounting", of_person),
        "tracker run_id": found("tracker", "SELECT id FROM run WHERE position IS NOT NULL LIMIT 1"),
        "accounting run_id": found("accounting", "SELECT id FROM payout_run"),
        "unit": "days",
        "mailer kind": "payout",
    }


def addresses(app: Any, known: dict[str, str]) -> list[str]:
    """Every page of the app, and the same with each of its filters."""
    pages = []
    for rule in app.url_map.iter_rules():
        path: str = rule.rule
        if "GET" not in rule.methods or path.endswith(STREAMED) or path in ELSEWHERE:
            continue
        for whole, name in VARIABLE.findall(path):
            value = known.get(f"{app.name} {name}", known.get(name))
            assert value, f"say in examples() what {whole} of {app.name} may be"
            path = path.replace(whole, value)
        pages += [path, *(f"{path}?{query}" for query in VARIANTS.get(path, ()))]
    return pages


def test_no_page_reads_a_large_table_from_end_to_end(
    company: World, cast: Cast, apps: Callable[[str], Any], client: Callable[..., Client],
    settings: Config, seen: Asked,
) -> None:  # fmt: skip
    known = examples(company)
    company.db("gateway").run(SIGN_UP, cast.fay.id, cast.fay.email, password_hash())
    gate = Browser(apps("gateway"), settings)
    assert gate.sign_in(cast.fay.email).status_code == 200
    doors = {name: client(name, cast.fay) for name in APPS} | {"gateway": gate}

    for name, door in doors.items():
        for path in addresses(apps(name), known):
            seen.page = f"{name} {path}"
            answer = door.get(path, html=True)
            assert answer.status_code in (200, 303), (path, answer.text)

    wrong = {
        f"{each.page}: {fault}": " ".join(each.sql.split())
        for each in seen.queries
        for fault in faults_of(each.plan)
        if fault.rpartition(" ")[2] not in A_ROW_A_PERSON.get(each.page.partition("?")[0], ())
    }
    print(f"{len(seen.queries)} queries of {len({each.page for each in seen.queries})} pages")
    assert len(seen.queries) > 100
    paged = [each for each in seen.queries if re.search(r"OFFSET (?!0\b)", each.sql)]
    assert not paged, "lists are paged by key"
    assert not wrong, json.dumps(wrong, indent=1)


def texts_read(plan: dict[str, Any]) -> int:
    """Rows of `task` that the plan, once carried out, has looked at."""
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    passed = plan["Actual Rows"] + sum(plan.get(key, 0) for key in removed)
    own = passed * plan["Actual Loops"] if plan.get("Relation Name") == "task" else 0
    return own + sum(texts_read(part) for part in plan.get("Plans", ()))


@pytest.fixture
def texts(company: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows of `task` each query of tasks looked at."""
    found, ask = list[int](), Server.execute_sql

    def execute_sql(self: Server, sql: str, params: Any = None) -> Any:
        if "standing" in sql:
            ask(self, "SET enable_seqscan = off; SET enable_hashjoin = off")
            plan = ask(self, f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params).fetchone()[0][0]
            found.append(texts_read(plan["Plan"]))
        return ask(self, sql, params)

    monkeypatch.setattr(Server, "execute_sql", execute_sql)
    return found


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("words", [(), ("a",)], ids=["all", "searched"])
def test_a_list_does_not_pass_the_tasks_that_stand_otherwise(
    company: World, order: str, words: tuple[str, ...], texts: list[int]
) -> None:
    """Whoever completes tasks completes those that came together."""
    tracker = company.db("tracker")
    newest = "DESC" if order == "newest" else ""
    tracker.execute_sql(ENDED.format(f"ORDER BY task_id {newest} LIMIT 2000"))
    tracker.execute_sql("ANALYZE")
    wanted = tasks.Filter(words=words, order=order)
    first = tasks.page(tracker, wanted, None, 26)
    tasks.page(tracker, wanted, [first[-1]["id"]], 26)

    assert len(texts) == 2
    assert max(texts) < 300, texts


@pytest.mark.parametrize("word", ["会議", "議", "회의", "x議"])
def test_a_rare_word_is_found_without_reading_all_titles(
    company: World, texts: list[int], word: str
) -> None:
    tracker = company.db("tracker")
    title = domain.search_text(domain.Draft("準備の会議 회의록 x議"))
    rare = "UPDATE task SET search_text = %s WHERE id = (SELECT min(task_id::text)::uuid FROM deal)"
    tracker.run(rare, title)
    tracker.execute_sql("ANALYZE")

    found = tasks.page(tracker, tasks.Filter(words=(word,)), None, 26)

    assert len(found) == 1
    assert max(texts) < 300, texts


def test_what_is_generated_is_written_as_the_rules_say(company: World) -> None:
    for row in company.db("tracker").rows("SELECT title, jira_id, search_text FROM task"):
        draft = domain.Draft(row["title"], row["jira_id"])
        assert row["search_text"] == domain.search_text(draft)


def test_a_frequent_word_is_found_among_the_newest_tasks(company: World, texts: list[int]) -> None:
    """One title in eight has it: through the index, all of those would be read."""
    tracker = company.db("tracker")

    found = tasks.page(tracker, tasks.Filter(words=("修理",)), None, 26)

    assert len(found) == 26
    assert max(texts) < 400, texts


def test_a_plan_that_reads_a_whole_table_is_found(company: World, seen: Asked) -> None:
    """What the test above looks for is there to be found."""
    seen.page = "by hand"
    for sql in (
        "SELECT count(*) FROM transfer WHERE amount_cents > 7",
        "SELECT max(posted_at) FROM transfer",
        "SELECT worker_id FROM total ORDER BY fees_cents DESC LIMIT 5",
    ):
        company.db("accounting").execute_sql(sql)
    company.db("accounting").execute_sql("SELECT id FROM transfer ORDER BY id DESC LIMIT 5")

    wrong = [list(faults_of(each.plan)) for each in seen.queries]

    assert [bool(each) for each in wrong] == [True, True, True, False]
