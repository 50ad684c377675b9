"""What accounting's books say: every function one SELECT on totals, days or one person's rows."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from analytics.period import Period
from common.db import Row, Server

DEFAULT_DAYS = 30

SUMMARY = """
    WITH open AS (SELECT max(day) AS day FROM report_days WHERE state = 'open')
    SELECT open.day,
           coalesce((SELECT balance_cents FROM report_balances WHERE worker_id = %s), 0)
               AS balance_cents,
           coalesce((SELECT rewards_cents - fees_cents FROM report_totals
                     WHERE worker_id = %s AND report_totals.day = open.day), 0) AS today_cents
    FROM open
"""
TRANSFERS = """
    SELECT id, kind, signed_cents AS amount_cents, day, posted_at, task_id
    FROM report_transfers WHERE worker_id = %s
"""
DAYS = """
    SELECT day, state, fees_cents - rewards_cents AS company_cents, fees_cents, rewards_cents,
           paid_cents AS payouts_cents, workers_in_minus
    FROM report_days WHERE day < coalesce(%s::date, 'infinity') ORDER BY day DESC LIMIT %s
"""
BALANCES = """
    SELECT worker_id, balance_cents FROM report_balances WHERE worker_id = ANY(%s::uuid[])
"""
# Each day with its dearest task: one step down an index a day.
DASHBOARD = """
    WITH days AS MATERIALIZED (SELECT * FROM report_days), wanted AS (
        SELECT today, coalesce(%s::date, today - %s) AS since, coalesce(%s::date, today) AS until,
               least(date_trunc('week', today), date_trunc('month', today))::date AS around
        FROM (SELECT max(day) AS today FROM days WHERE state = 'open') AS open
    )
    SELECT day, fees_cents - rewards_cents AS company_cents, fees_cents, rewards_cents,
           workers_in_minus, task_id, reward_cents, posted_at, day = today AS is_today,
           day BETWEEN since AND until AS is_asked
    FROM wanted JOIN days ON day BETWEEN since AND until OR day BETWEEN around AND today
    LEFT JOIN LATERAL (
        SELECT task_id, amount_cents AS reward_cents, posted_at FROM report_rewards
        WHERE report_rewards.day = days.day
        ORDER BY amount_cents DESC, posted_at, task_id LIMIT 1
    ) AS dearest ON true
    ORDER BY day DESC
"""


def summary(db: Server, worker_id: UUID) -> Row:
    """`{"balance_cents", "day", "today_cents"}`; zeros for somebody never dealt to."""
    found = db.row(SUMMARY, worker_id, worker_id)
    assert found
    return found


def filtered(worker_id: UUID, kind: str | None, period: Period) -> tuple[str, list[Any]]:
    tests = {"kind = %s": kind, "day >= %s": period.since, "day <= %s": period.until}
    given = {test: value for test, value in tests.items() if value}
    return " AND ".join([TRANSFERS, *given]), [worker_id, *given.values()]


def transfers(
    db: Server, worker_id: UUID, kind: str | None, period: Period, before: Any, limit: int
) -> list[Row]:
    """The person's transfers older than the key, newest first, signed as the person sees them."""
    sql, values = filtered(worker_id, kind, period)
    if before:
        sql, values = f"{sql} AND id < %s", [*values, before[0]]
    return db.rows(f"{sql} ORDER BY id DESC LIMIT %s", *values, limit)


def every_transfer(db: Server, worker_id: UUID, kind: str | None, period: Period) -> Iterator[Row]:
    """All of them that match, newest first."""
    sql, values = filtered(worker_id, kind, period)
    return db.stream(f"{sql} ORDER BY id DESC", *values)


def days(db: Server, before: Any, limit: int) -> list[Row]:
    """The company's days older than the key, newest first."""
    return db.rows(DAYS, before and before[0], limit)


def open_day(db: Server) -> date | None:
    return db.value("SELECT day FROM report_days WHERE state = 'open'")


def every_day(db: Server) -> Iterator[Row]:
    """All of them, newest first."""
    return db.stream(DAYS, None, None)


def balances(db: Server, ids: list[UUID]) -> dict[UUID, int]:
    """`{person_id: cents}` of those who were ever dealt to."""
    found = db.rows(BALANCES, [str(each) for each in ids])
    return {row["worker_id"]: row["balance_cents"] for row in found}


def dashboard(db: Server, period: Period) -> list[Row]:
    """Days asked for and those around the open day, newest first, each with its dearest task."""
    return db.rows(DASHBOARD, period.since, DEFAULT_DAYS - 1, period.until)


def today(rows: list[Row]) -> Row | None:
    """The open day among a dashboard's rows, None before the books are opened."""
    return next((row for row in rows if row["is_today"]), None)


def dearest(rows: list[Row]) -> dict[str, Row | None]:
    """`{"day", "week", "month"}` around the open day: the row with the highest reward, the
    earliest posted of equals.
    """
    open_row = today(rows)
    if open_row is None:
        return dict.fromkeys(("day", "week", "month"))
    day = open_row["day"]
    week = day - timedelta(days=day.weekday())
    starts = {"day": day, "week": week, "month": day.replace(day=1)}
    return {name: highest(rows, start, day) for name, start in starts.items()}


def highest(rows: list[Row], since: date, until: date) -> Row | None:
    matching = [row for row in rows if row["task_id"] and since <= row["day"] <= until]
    return min(
        matching,
        key=lambda row: (-row["reward_cents"], row["posted_at"], row["task_id"]),
        default=None,
    )
