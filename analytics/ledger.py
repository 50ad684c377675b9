"""`/accounting/ledger`: every transfer there is, by person, kind, task and day."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from flask import Blueprint, Response, request

from analytics import names
from analytics.period import Period
from analytics.sources import sources
from common.db import Row, Server
from common.web import paging, reading, require, respond

bp = Blueprint("ledger", __name__)

HEADER = ["id", "kind", "amount_cents", "debit", "credit", "day", "posted_at", "worker_id",
          "task_id", "run_id", "reverses_id", "reason"]  # fmt: skip
# The last three are what figures of the company sum: reversals count against what they reverse.
KINDS = {
    "deal_fee": "kind = 'deal_fee'",
    "completion_reward": "kind = 'completion_reward'",
    "payout": "kind = 'payout'",
    "reversal": "kind = 'reversal'",
    "fees": "cause = 'deal_fee'",
    "rewards": "cause = 'completion_reward'",
    "company": "cause IN ('deal_fee', 'completion_reward')",
}
COMPANY = {"fees": (1, 0), "rewards": (0, -1), "company": (1, -1)}

TRANSFERS = """
    SELECT id, kind, amount_cents, debit, credit, day, posted_at, worker_id, task_id, run_id,
           reverses_id, reason
    FROM report_transfers
"""
# Fees are found by run and task, reversals by what they reverse: no index is kept for this alone.
OF_TASKS = """
    WITH caused AS (
        SELECT id FROM unnest(%s::uuid[], %s::uuid[]) AS dealt (run_id, task_id)
            JOIN report_transfers USING (run_id, task_id) WHERE kind = 'deal_fee'
        UNION ALL
        SELECT id FROM report_transfers
        WHERE kind = 'completion_reward' AND task_id = ANY(%s::uuid[])
    )
    SELECT id FROM caused UNION ALL
    SELECT id FROM report_transfers
    WHERE kind = 'reversal' AND reverses_id IN (SELECT id FROM caused)
"""
SUMS = """
    SELECT sum(fees_cents)::bigint AS fees, sum(rewards_cents)::bigint AS rewards FROM {table}
    WHERE day BETWEEN coalesce(%s::date, '-infinity') AND coalesce(%s::date, 'infinity')
"""
OF_ALL = SUMS.format(table="report_days")
OF_SOME = SUMS.format(table="report_totals") + " AND worker_id = ANY(%s::uuid[])"


class Wanted(NamedTuple):
    """Which transfers: of these people, this kind, these tasks, these days; None: any."""

    worker_ids: list[UUID] | None = None
    kind: str | None = None
    task_ids: list[UUID] | None = None
    period: Period = Period()

    @classmethod
    def read(cls, args: Mapping[str, str]) -> "Wanted":
        """Raises Invalid naming what means nothing."""
        kind = args.get("kind") if args.get("kind") in KINDS else None
        people, tasks = args.get("person", "").strip(), args.get("task", "").strip()
        return cls(
            names.people_meant(people) if people else None,
            kind,
            names.tasks_meant(tasks) if tasks else None,
            Period.read(args),
        )

    def where(self, db: Server) -> tuple[str, list[Any]]:
        """The condition and its parameters."""
        tests: dict[str, Any] = {
            "worker_id = ANY(%s::uuid[])": self.worker_ids and texts(self.worker_ids),
            "day >= %s": self.period.since,
            "day <= %s": self.period.until,
        }
        given = {test: value for test, value in tests.items() if value}
        if self.task_ids is not None:
            given["id = ANY(%s::uuid[])"] = of_tasks(db, self.task_ids)
        parts = [*given, *([KINDS[self.kind]] if self.kind else [])]
        return " AND ".join(parts or ["true"]), list(given.values())


def texts(ids: list[UUID]) -> list[str]:
    return [str(each) for each in ids]


def of_tasks(db: Server, task_ids: list[UUID]) -> list[str]:
    """The ids of the transfers about these tasks."""
    pairs = names.runs_of(task_ids)
    runs, tasks = [str(run) for _, run in pairs], [str(task) for task, _ in pairs]
    return [str(row["id"]) for row in db.rows(OF_TASKS, runs, tasks, texts(task_ids))]


def page_of(db: Server, wanted: Wanted, before: Any, limit: int) -> list[Row]:
    """Transfers older than the key, newest first."""
    where, values = wanted.where(db)
    if before:
        where, values = f"{where} AND id < %s", [*values, before[0]]
    return db.rows(f"{TRANSFERS} WHERE {where} ORDER BY id DESC LIMIT %s", *values, limit)


def every(db: Server, wanted: Wanted) -> Iterator[Row]:
    where, values = wanted.where(db)
    return db.stream(f"{TRANSFERS} WHERE {where} ORDER BY id DESC", *values)


def sum_of(db: Server, wanted: Wanted) -> int | None:
    """What the company made by them, from the totals; None for what no total is kept of."""
    if wanted.kind not in COMPANY or wanted.task_ids is not None:
        return None
    ids = wanted.worker_ids
    found = db.row(OF_SOME, *wanted.period, texts(ids)) if ids else db.row(OF_ALL, *wanted.period)
    by_fees, by_rewards = COMPANY[wanted.kind]
    return by_fees * (found["fees"] or 0) + by_rewards * (found["rewards"] or 0) if found else None


def facts(wanted: Wanted | None = None) -> Row:
    """A page of the ledger; without a filter that could be read, of all of it."""
    r, wanted = reading(sources["accounting"]), wanted or Wanted()
    rows = page_of(r.db, wanted, paging.asked(UUID), paging.SIZE + 1)
    rows, following = paging.cut(rows)
    people = names.roles({row["worker_id"] for row in rows})
    known = names.titles(row["task_id"] for row in rows)
    for row in rows:
        person_id = row.pop("worker_id")
        row["worker"] = {"id": person_id, "name": people.get(person_id, {}).get("name")}
        row["task"] = names.task(row.pop("task_id"), known)
    return {"transfers": rows, "next": following, "sum_cents": sum_of(r.db, wanted), **r.age}


@bp.before_request
def accountants_only() -> None:
    require("accountant", "admin")


@bp.get("/accounting/ledger")
@respond.form("analytics/ledger.html", facts)
def index() -> Response:
    return respond.page("analytics/ledger.html", facts(Wanted.read(request.args)))


@bp.get("/accounting/ledger.csv")
def table() -> Response:
    db = reading(sources["accounting"]).db
    return respond.csv_stream("ledger.csv", HEADER, every(db, Wanted.read(request.args)))
