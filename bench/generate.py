"""A company of any size, as set-based SQL straight into the databases.

Everything agrees as if it had happened: each deal follows from its run's seed and roster, each fee
from its price, totals from transfers, the tally from the tasks.  No event tells of any of it.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from bench.world import World, copy
from common import chance
from common.db import Server, deadline
from tracker.domain import APART, DENSE
from tracker.models import WORKERS, dealing

FEEDBACK_S = 3  # until the primary knows what the standby still reads
STATEMENT_S = 900
PART = 250_000
INDEX_LATER = 100_000

PEOPLE = """
    INSERT INTO person (email, name, role, created_at)
    SELECT 'generated-' || n || '@example.com',
           (ARRAY['Amélie', 'Борис', 'Chidi', '黛玉', 'Eşref', 'Fatima'])[1 + n %% 6] || ' ' || n,
           'worker', now()
    FROM generate_series(%s + 1, %s) AS n
"""
GENERATED = "FROM person WHERE starts_with(email, 'generated-')"

RUN = """
    INSERT INTO run (kind, state, seed, roster_id, requested_by, requested_at, total, done, dealt,
                     started_at, finished_at, position, upper_id, cursor)
    SELECT %(kind)s, 'done', %(seed)s, %(roster_id)s, %(by)s, now(), %(count)s, %(count)s,
           %(count)s, now(), now(),
           CASE WHEN %(last)s::uuid IS NOT NULL THEN nextval('run_position') END,
           %(last)s, %(last)s
    RETURNING id
"""
# Every title is its own fold but for case, which lower() takes away as domain.folded() does.
TASKS = f"""
    INSERT INTO task (title, jira_id, description, search_text, added_by, created_at, run_id)
    SELECT title, key, 'Made for a bench.', lower(concat_ws(E'\\n', coalesce(key, ''), title,
               CASE WHEN title ~ '[{DENSE}]' THEN regexp_replace(title, '([{DENSE}])',
                    E'{APART}\\\\1{APART}', 'g') END)), %(by)s, now(), %(run_id)s
    FROM (
        SELECT (ARRAY['Repair', 'Paint', 'Почистить', 'Проверить', '修理', '清掃', 'Ölwechsel',
                      'Review'])[1 + n %% 8] || ' '
               || (ARRAY['the door', 'a pump', 'насос', 'двери', '窓', '電灯', 'Tür', 'invoice',
                         'roof', 'график', 'lift'])[1 + n %% 11]
               || ' ' || md5(n::text) || ' ' || n AS title,
               CASE WHEN n %% 3 = 0 THEN 'SHOP-' || n END AS key
        FROM generate_series(%(first)s, %(final)s) AS n
    ) AS made
"""
DEALS = f"""
    INSERT INTO deal (task_id, assignee_id, run_id)
    SELECT task.id, {WORKERS}[1 + draw('deal', seed, task.id, worker_count)], run.id
    FROM task, run JOIN roster ON roster.id = roster_id
    WHERE task.run_id = %(run_id)s AND run.id = %(run_id)s
"""
REDEAL = f"""
    UPDATE deal SET run_id = %(run_id)s,
        assignee_id = {WORKERS}[1 + draw('deal', %(seed)s, task_id, worker_count)]
    FROM roster WHERE roster.id = %(roster_id)s
"""
PRICES = """
    WITH batch AS (INSERT INTO pricing (seed, priced_at) VALUES (%s, now()) RETURNING id, seed)
    INSERT INTO price (task_id, fee_cents, reward_cents, pricing_id)
    SELECT task_id, (10 + draw('fee', seed, task_id, 11)) * 100,
           (20 + draw('reward', seed, task_id, 21)) * 100, batch.id
    FROM heard, batch
"""
FEES = """
    INSERT INTO transfer (kind, debit_id, credit_id, worker_id, amount_cents, day, occurred_at,
                          posted_at, task_id, run_id)
    SELECT 'deal_fee', worker_id, '00000000-0000-0000-0000-000000000001', worker_id, fee_cents,
           day, now(), now(), task_id, %(run_id)s
    FROM business_day, (
        SELECT task_id, fee_cents, (SELECT worker_ids || '{}' FROM chosen)
            [1 + draw('deal', %(seed)s, task_id, (SELECT cardinality(worker_ids) FROM chosen))]
            AS worker_id
        FROM heard JOIN price USING (task_id)
    ) AS dealt
    WHERE state = 'open'
"""
TOTALS = """
    WITH moved AS (
        SELECT worker_id, day, sum(amount_cents) AS cents FROM transfer
        WHERE kind = 'deal_fee' AND run_id = %s GROUP BY worker_id, day
    ), named AS (
        INSERT INTO account (id, name) SELECT worker_id, 'worker:' || worker_id FROM moved
        ON CONFLICT DO NOTHING
    )
    INSERT INTO total (worker_id, day, fees_cents) SELECT * FROM moved ORDER BY worker_id
    ON CONFLICT (worker_id, day) DO UPDATE SET
        fees_cents = total.fees_cents + excluded.fees_cents
"""


def people(world: World, count: int) -> None:
    """There are `count` generated workers; the next deal is among them too."""
    gateway, tracker = world.db("gateway"), world.db("tracker")
    with deadline(STATEMENT_S):
        there = gateway.value(f"SELECT count(*) {GENERATED}")
        gateway.run(PEOPLE, there, count)
        for name in ("tracker", "accounting"):
            world.db(name).execute_sql("CREATE TEMP TABLE news (LIKE person)")
            select = f"SELECT id, name, role, is_active, version {GENERATED}"
            pour(gateway, select, world.db(name), "news")
            world.db(name).run("INSERT INTO person TABLE news ON CONFLICT DO NOTHING")
            world.db(name).execute_sql("DROP TABLE news")
        tracker.run("UPDATE roster SET is_current = false WHERE is_current")


def tasks(world: World, count: int) -> None:
    """There are `count` open tasks, dealt among those dealt to now, their fees charged."""
    tracker = world.db("tracker")
    there = tracker.value("SELECT count(*) FROM deal")
    kept = ("task_search",) if count - there >= INDEX_LATER else ()
    with deadline(STATEMENT_S), without_indexes(tracker, "task", kept):
        while there < count:
            size = min(PART, count - there)
            add(world, there + 1, size)
            there += size


def add(world: World, first: int, size: int) -> None:
    tracker, accounting = world.db("tracker"), world.db("accounting")
    values = {"kind": "import", "seed": chance.new_seed(), "by": manager(world),
              "count": size, "last": None, "first": first, "final": first + size - 1}  # fmt: skip
    with dealing() as roster:
        values["roster_id"] = roster["id"]
        values["run_id"] = tracker.execute_sql(RUN, values).fetchone()[0]
        tracker.execute_sql(TASKS, values)
        tracker.execute_sql(DEALS, values)
    with hearing(tracker, accounting, values):
        accounting.run(PRICES, chance.new_seed())
        charge(accounting, values)
        tracker.execute_sql("CREATE TEMP TABLE news (LIKE price)")
        pour(accounting, "SELECT task_id, fee_cents, reward_cents FROM heard JOIN price"
             " USING (task_id) ORDER BY task_id", tracker, "news")  # fmt: skip
        tracker.run("INSERT INTO price TABLE news")
        tracker.execute_sql("DROP TABLE news")


def redealt(world: World, times: int) -> None:
    """All open tasks were reassigned so many times among those dealt to now, and every fee
    charged.
    """
    tracker, accounting = world.db("tracker"), world.db("accounting")
    size = tracker.value("SELECT count(*) FROM deal")
    last = tracker.value("SELECT task_id FROM deal ORDER BY task_id DESC LIMIT 1")
    dropped = ("transfer_deal_fee", "transfer_worker") if times * size >= INDEX_LATER * 10 else ()
    values: dict[str, Any] = {"kind": "reassignment", "by": manager(world),
                              "count": size, "last": last}  # fmt: skip
    with deadline(STATEMENT_S), without_indexes(accounting, "transfer", dropped):
        with dealing() as roster:
            values["roster_id"] = roster["id"]
        runs = [{**values, "seed": chance.new_seed()} for _ in range(times)]
        for run in runs:
            run["run_id"] = tracker.execute_sql(RUN, run).fetchone()[0]
        tracker.execute_sql(REDEAL, runs[-1])
        with hearing(tracker, accounting, runs[-1]):
            for run in runs:
                charge(accounting, run)
                world.catch_up()
    rest(world)


def rest(world: World) -> None:
    """The servers have done what they do when so much comes by and by: old versions are gone, what
    was written is on the disk.
    """
    world.catch_up()
    time.sleep(FEEDBACK_S)
    with deadline(STATEMENT_S):
        for name in ("tracker", "accounting"):
            world.db(name).execute_sql("VACUUM ANALYZE")
    world.catch_up()
    os.sync()


def manager(world: World) -> UUID:
    """Who asked for all of it."""
    return world.db("tracker").value("SELECT id FROM person WHERE role = 'manager' LIMIT 1")


@contextmanager
def hearing(tracker: Server, accounting: Server, run: dict[str, Any]) -> Iterator[None]:
    """Accounting has the tasks of the run in `heard`, and its roster in `chosen`."""
    run_id, roster_id = run["run_id"], run["roster_id"]
    accounting.execute_sql("CREATE TEMP TABLE heard (task_id uuid)")
    accounting.execute_sql("CREATE TEMP TABLE chosen (worker_ids uuid[])")
    accounting.execute_sql("ALTER TABLE chosen ALTER COLUMN worker_ids SET STORAGE EXTERNAL")
    pour(tracker, f"SELECT task_id FROM deal WHERE run_id = '{run_id}' ORDER BY task_id",
         accounting, "heard")  # fmt: skip
    pour(tracker, f"SELECT worker_ids FROM roster WHERE id = '{roster_id}'", accounting, "chosen")
    accounting.execute_sql("ANALYZE heard")
    yield
    accounting.execute_sql("DROP TABLE heard, chosen")


def charge(accounting: Server, run: dict[str, Any]) -> None:
    with accounting.atomic():
        accounting.execute_sql(FEES, run)
    with accounting.atomic():
        accounting.run(TOTALS, run["run_id"])


def pour(source: Server, select: str, target: Server, table: str) -> None:
    """The rows of `select` are in the table of another database."""
    with tempfile.TemporaryFile() as file:
        copy(source, f"COPY ({select}) TO STDOUT", file)
        file.seek(0)
        copy(target, f"COPY {table} FROM STDIN", file)


@contextmanager
def without_indexes(db: Server, table: str, names: tuple[str, ...]) -> Iterator[None]:
    """Many rows come quicker when their indexes are made afterwards."""
    kept = [
        db.value(
            "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND indexname = %s", table, n
        )
        for n in names
    ]
    for name in names:
        db.execute_sql(f"DROP INDEX {name}")
    try:
        yield
    finally:
        for definition in kept:
            db.execute_sql(definition)


def newest_people(world: World, count: int) -> list[UUID]:
    """The ids of the `count` workers generated last."""
    sql = f"SELECT id {GENERATED} ORDER BY id DESC LIMIT %s"
    return [row["id"] for row in world.db("gateway").rows(sql, count)]
