"""Paying a closed day out: every batch its own commit, with the cursor in it."""

import logging
from datetime import datetime
from uuid import UUID

from accounting.models import CASH, Agreed, outbox, primary
from common import log as logs
from common import loop
from common.db import LOST, Row, deadline
from common.events import PayoutMade
from common.outbox import moment_text, telling

log = logging.getLogger("payouts")

BATCH = 2000
BATCH_S = 60.0
FIRST = UUID(int=0)

# Earlier days first: what a worker is paid for a day depends on what was carried into it.
NEXT = "SELECT * FROM payout_run WHERE state <> 'done' ORDER BY day LIMIT 1 FOR UPDATE"

# Each batch is a range of workers, said to every table, so that none is read as a whole each time.
# Nothing is joined but by an index: of a day that has just ended the planner expects one total.
# What a payout took back on this day was never the worker's: it counts as carried into the day.  A
# payout has one fact, which has its id.
PAY = f"""
    WITH owed AS (
        SELECT worker_id, fees_cents, rewards_cents, account.carried_cents + rewards_cents
               - fees_cents - payouts_cents AS balance_cents
        FROM total JOIN account ON account.id = worker_id
        WHERE day = %(day)s AND total.carried_cents IS NULL
            AND worker_id > %(after_id)s AND account.id > %(after_id)s
        ORDER BY worker_id LIMIT %(limit)s
    ), due AS MATERIALIZED (
        SELECT *, CASE WHEN balance_cents > 0 THEN new_id() END AS payout_id FROM owed
    ), passed AS MATERIALIZED (
        SELECT count(*), count(payout_id) AS paid_count,
               coalesce(sum(balance_cents) FILTER (WHERE balance_cents > 0), 0) AS paid_cents,
               min(worker_id::text)::uuid AS first_id, max(worker_id::text)::uuid AS last_id
        FROM due
    ), paid AS (
        INSERT INTO transfer (id, kind, debit_id, credit_id, worker_id, amount_cents, day,
                              occurred_at, posted_at)
        SELECT payout_id, 'payout', worker_id, '{CASH}', worker_id, balance_cents, %(day)s,
               %(now)s, %(now)s
        FROM due WHERE balance_cents > 0
    ), carried AS (
        UPDATE account SET carried_cents = least(balance_cents, 0)
        FROM due WHERE account.id = worker_id AND carried_cents <> least(balance_cents, 0)
            AND account.id >= (SELECT first_id FROM passed)
            AND account.id <= (SELECT last_id FROM passed)
    ), settled AS (
        UPDATE total SET (carried_cents, payouts_cents) = (
            SELECT least(balance_cents, 0), total.payouts_cents + greatest(balance_cents, 0)
            FROM (SELECT account.carried_cents + total.rewards_cents - total.fees_cents
                         - total.payouts_cents AS balance_cents
                  FROM account WHERE account.id = total.worker_id) AS found
        )
        WHERE day = %(day)s AND carried_cents IS NULL
            AND worker_id >= (SELECT first_id FROM passed)
            AND worker_id <= (SELECT last_id FROM passed)
    ), facts AS (
        SELECT payout_id AS id, payout_id AS subject, json_build_object(
            'payout_id', payout_id, 'payout_run_id', %(id)s::text, 'worker_id', worker_id,
            'day', %(day)s::date, 'carried_cents', balance_cents - rewards_cents + fees_cents,
            'fees_cents', fees_cents, 'rewards_cents', rewards_cents,
            'amount_cents', balance_cents, 'currency', %(currency)s::text,
            'paid_at', %(paid_at)s::text) AS data
        FROM due WHERE balance_cents > 0
    ), told AS ({telling(PayoutMade, outbox.source, "facts")})
    UPDATE payout_run SET state = 'running', started_at = coalesce(started_at, %(now)s),
        error = NULL, done = done + passed.count, worker_id = coalesce(passed.last_id, worker_id),
        paid_count = payout_run.paid_count + passed.paid_count,
        paid_cents = payout_run.paid_cents + passed.paid_cents
    FROM passed WHERE payout_run.id = %(id)s RETURNING passed.count
"""
# What was posted and what the mailer was told is counted from there, and must be what was paid.
FINISH = f"""
    UPDATE payout_run SET state = 'done', finished_at = %s, moved_count = moved.count,
        moved_cents = moved.cents, told_count = told.count, told_cents = told.cents
    FROM (
        SELECT count(*), coalesce(sum(amount_cents), 0) AS cents
        FROM transfer WHERE kind = 'payout' AND day = %s
    ) AS moved, (
        SELECT count(*), coalesce(sum(amount_cents), 0) AS cents
        FROM outbox CROSS JOIN json_to_record(envelope::json->'data')
             AS fact (payout_run_id uuid, amount_cents bigint)
        WHERE id >= %s AND type = '{PayoutMade.type}' AND payout_run_id = %s
    ) AS told
    WHERE id = %s
"""
FAIL = """
    UPDATE payout_run SET state = 'failed', error = %s
    WHERE id = (SELECT id FROM payout_run WHERE state <> 'done' ORDER BY day LIMIT 1)
"""
CLOSE = """
    UPDATE business_day SET state = 'closed', closed_at = %s,
        workers_in_minus = (SELECT count(*) FROM account WHERE carried_cents < 0)
    WHERE day = %s
"""


def pay_all(*, now: datetime, limit: int = BATCH) -> list[UUID]:
    """Every run there is has been paid to the end, in the order of their days; returns the ids of
    those finished here.  Safe to call anywhere, twice, at once; ends early if the job is told to.
    """
    finished = []
    while not loop.job.is_set() and (run := pay_batch(now=now, limit=limit)):
        if run["state"] == "done":
            finished.append(run["id"])
    return finished


def pay_batch(*, now: datetime, limit: int = BATCH) -> Row | None:
    """The earliest unfinished run is one batch further, or done and its day closed; returns it.
    None: there was nothing to pay, or another payer finished it just now.
    """
    try:
        with deadline(BATCH_S), primary.atomic():
            run = primary.row(NEXT)
            return advance(run, now=now, limit=limit) if run else None
    except LOST:
        raise
    except Exception as error:
        primary.run(FAIL, f"{type(error).__name__}: {error}")
        raise


def advance(run: Row, *, now: datetime, limit: int) -> Row:
    """The next `limit` workers of the locked run are paid or carried over, and told of."""
    logs.trace.set(run["trace"])
    values = {
        **run,
        "after_id": run["worker_id"] or FIRST,
        "limit": limit,
        "now": now,
        "paid_at": moment_text(now),
        "currency": Agreed.terms.currency,
    }
    passed = primary.execute_sql(PAY, values).fetchone()[0]
    outbox.notify()
    if passed < limit:
        # Ids of the run and of its facts are of the same clock, the database's.
        primary.run(FINISH, now, run["day"], run["id"], run["id"], run["id"])
        primary.run(CLOSE, now, run["day"])
        log.info("%s is paid out", run["day"], extra={"run": run["id"]})
    return primary.rows("SELECT * FROM payout_run WHERE id = %s", run["id"])[0]


def runs(ids: list[UUID]) -> list[Row]:
    """The runs, in the order of their days."""
    wanted = [str(each) for each in ids]
    return primary.rows("SELECT * FROM payout_run WHERE id = ANY(%s::uuid[]) ORDER BY day", wanted)
