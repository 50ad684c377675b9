"""The ledger: what happened to tasks becomes transfers, each once, by a few statements a batch.

Every function here runs in a transaction its caller has begun.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from accounting import books
from accounting.models import EXPENSE, INCOME, primary
from accounting.prices import parts, price_tasks, uuids

PART = 10_000

# `{(worker_id, kind): cents}`, net of reversals, which count against what they reverse.
Moved = Counter[tuple[UUID, str]]


class Contradiction(Exception):
    """A fact with the key of a posted one says something else."""


class Deal(NamedTuple):
    task_id: UUID
    worker_id: UUID
    run_id: UUID
    at: str


class Completion(NamedTuple):
    task_id: UUID
    worker_id: UUID
    at: str


class Withdrawal(NamedTuple):
    task_id: UUID
    run_id: UUID
    at: str


DEALS = """unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::timestamptz[])
    AS deal (task_id, worker_id, run_id, occurred_at)"""
COMPLETIONS = """unnest(%s::uuid[], %s::uuid[], %s::timestamptz[])
    AS completion (task_id, worker_id, occurred_at)"""
WITHDRAWALS = """unnest(%s::uuid[], %s::uuid[], %s::timestamptz[])
    AS news (task_id, run_id, withdrawn_at)"""

POST = """
    WITH posted AS (
        INSERT INTO transfer (kind, debit_id, credit_id, worker_id, amount_cents, day, occurred_at,
                              posted_at, task_id, run_id, reverses_id)
        {rows} DO NOTHING RETURNING worker_id, amount_cents
    )
    SELECT worker_id, count(*), sum(amount_cents)::bigint FROM posted GROUP BY worker_id
"""
# Each price by itself: asked to join ten thousand, the planner reads all there are, by the million.
POST_FEES = POST.format(
    rows=f"""
        SELECT 'deal_fee', worker_id, '{INCOME}'::uuid, worker_id,
               (SELECT fee_cents FROM price WHERE price.task_id = deal.task_id), %s, occurred_at,
               %s, task_id, run_id, NULL::uuid
        FROM {DEALS}
        ON CONFLICT (run_id, task_id) WHERE kind = 'deal_fee'"""
)
POST_REWARDS = POST.format(
    rows=f"""
        SELECT 'completion_reward', '{EXPENSE}'::uuid, worker_id, worker_id,
               (SELECT reward_cents FROM price WHERE price.task_id = completion.task_id), %s,
               occurred_at, %s, task_id, NULL::uuid, NULL::uuid
        FROM {COMPLETIONS}
        ON CONFLICT (task_id) WHERE kind = 'completion_reward'"""
)
POST_REVERSALS = POST.format(
    rows="""
        SELECT 'reversal', fee.credit_id, fee.debit_id, fee.worker_id, fee.amount_cents, %s,
               withdrawn_at, %s, fee.task_id, fee.run_id, fee.id
        FROM unnest(%s::uuid[]) AS heard (task_id) JOIN withdrawal USING (task_id)
        JOIN transfer AS fee USING (run_id, task_id) WHERE fee.kind = 'deal_fee'
        ON CONFLICT (reverses_id) WHERE kind = 'reversal'"""
)

OTHER_FEE = f"""
    SELECT format('run %%s charged another worker for task %%s', run_id, task_id)
    FROM {DEALS} JOIN transfer AS fee USING (run_id, task_id)
    WHERE kind = 'deal_fee' AND fee.worker_id <> deal.worker_id
"""
OTHER_REWARD = f"""
    SELECT format('task %%s was paid to another worker', task_id)
    FROM {COMPLETIONS} JOIN transfer AS reward USING (task_id)
    WHERE kind = 'completion_reward' AND reward.worker_id <> completion.worker_id
"""
OTHER_WITHDRAWAL = f"""
    SELECT format('task %%s was withdrawn from another run', task_id)
    FROM {WITHDRAWALS} JOIN withdrawal USING (task_id) WHERE withdrawal.run_id <> news.run_id
"""

WITHDRAW = f"""
    INSERT INTO withdrawal SELECT * FROM {WITHDRAWALS} ORDER BY task_id ON CONFLICT DO NOTHING
"""

# Batches of several kinds come here more than once in a transaction; one after the other, two of
# them never wait for each other's rows in a circle.
TOTAL = """
    SELECT pg_advisory_xact_lock(hashtext('totals'));
    WITH moved AS (
        SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[])
            AS moved (worker_id, fees_cents, rewards_cents, payouts_cents)
    ), named AS (
        INSERT INTO account (id, name) SELECT worker_id, 'worker:' || worker_id
        FROM moved ORDER BY worker_id ON CONFLICT DO NOTHING
    )
    INSERT INTO total (worker_id, day, fees_cents, rewards_cents, payouts_cents)
    SELECT worker_id, %s, fees_cents, rewards_cents, payouts_cents FROM moved ORDER BY worker_id
    ON CONFLICT (worker_id, day) DO UPDATE SET
        fees_cents = total.fees_cents + excluded.fees_cents,
        rewards_cents = total.rewards_cents + excluded.rewards_cents,
        payouts_cents = total.payouts_cents + excluded.payouts_cents
"""


def charge_fees(deals: Sequence[Deal], *, seed: bytes, now: datetime) -> None:
    """Each worker has been charged the task's fee, once for each run and task; what was withdrawn
    meanwhile is given back.  Raises Contradiction if another worker was charged.
    """
    day, moved = books.share(now), Moved()
    for part in parts(deals, PART):
        tasks = [deal.task_id for deal in part]
        price_tasks(tasks, seed=seed, now=now)
        post("deal_fee", POST_FEES, OTHER_FEE, part, (day, now), moved)
        reverse_withdrawn(tasks, (day, now), moved)
    add_to_totals(day, moved)


def pay_rewards(completions: Sequence[Completion], *, seed: bytes, now: datetime) -> None:
    """Each worker has been paid the task's reward, once a task.  Raises Contradiction if another
    worker was paid.
    """
    day, moved = books.share(now), Moved()
    for part in parts(completions, PART):
        price_tasks([completion.task_id for completion in part], seed=seed, now=now)
        post("completion_reward", POST_REWARDS, OTHER_REWARD, part, (day, now), moved)
    add_to_totals(day, moved)


def withdraw(withdrawals: Sequence[Withdrawal], *, seed: bytes, now: datetime) -> None:
    """The fee of each task's last deal has been given back, once; one that is still to come will
    be.  Raises Contradiction if the task was withdrawn from another run.
    """
    # Alone: a fee posted by another consumer at this moment would miss its withdrawal, and this
    # would miss the fee.
    day, moved = books.take(now), Moved()
    tasks = [withdrawal.task_id for withdrawal in withdrawals]
    price_tasks(tasks, seed=seed, now=now)
    if primary.run(WITHDRAW, *columns(withdrawals)) < len(withdrawals):
        refuse(OTHER_WITHDRAWAL, withdrawals)
    reverse_withdrawn(tasks, (day, now), moved)
    add_to_totals(day, moved)


def post(
    kind: str,
    statement: str,
    other: str,
    facts: Sequence[Deal] | Sequence[Completion],
    posting: tuple[date, datetime],
    moved: Moved,
) -> None:
    """The transfers are there; those new are counted in `moved`."""
    rows = primary.execute_sql(statement, (*posting, *columns(facts))).fetchall()
    for worker_id, _, cents in rows:
        moved[worker_id, kind] += cents
    if sum(count for _, count, _ in rows) < len(facts):
        refuse(other, facts)


def reverse_withdrawn(
    task_ids: Sequence[UUID], posting: tuple[date, datetime], moved: Moved
) -> None:
    """Fees of the run from which their task was withdrawn are reversed, in whatever order the two
    were heard of.
    """
    for worker_id, _, cents in primary.execute_sql(POST_REVERSALS, (*posting, uuids(task_ids))):
        moved[worker_id, "deal_fee"] -= cents


def refuse(statement: str, facts: Sequence[tuple]) -> None:
    """Raises Contradiction if one of the facts, known by its key, said something else before."""
    if sentence := primary.value(statement, *columns(facts)):
        raise Contradiction(sentence)


def columns(facts: Sequence[tuple]) -> list[str]:
    """The facts as arrays: ids, and the times last."""
    *ids, times = zip(*facts, strict=True)
    return [*map(uuids, ids), "{" + ",".join(times) + "}"]


def add_to_totals(day: date, moved: Moved) -> None:
    """The workers' totals of the open day have changed by what was moved."""
    workers = sorted({worker_id for worker_id, _ in moved})
    if not workers:
        return
    cents = [
        [moved[worker_id, kind] for worker_id in workers]
        for kind in ("deal_fee", "completion_reward", "payout")
    ]
    primary.run(TOTAL, uuids(workers), *cents, day)
