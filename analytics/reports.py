"""What accounting's books say: every function one SELECT on days or balances."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from analytics.period import Period
from common.db import Row, Server

DEFAULT_DAYS = 30
FIRST = UUID(int=0)

DAYS = """
    SELECT day, state, fees_cents - rewards_cents AS company_cents, fees_cents, rewards_cents,
           paid_cents AS payouts_cents, workers_in_minus
    FROM report_days WHERE day < coalesce(%s::date, 'infinity') ORDER BY day DESC LIMIT %s
"""
# One by one: asked for several at once the view sums the totals of everybody.
BALANCES = """
    SELECT id AS worker_id,
           (SELECT balance_cents FROM report_balances WHERE worker_id = id) AS balance_cents
    FROM unnest(%s::uuid[]) AS asked (id)
"""
IN_MINUS = """
    SELECT worker_id AS id, balance_cents FROM report_balances
    WHERE balance_cents < 0 AND (carried_cents >= 0 OR NOT %s)
      AND (balance_cents, worker_id) > (coalesce(%s, -9e18::bigint), %s)
    ORDER BY balance_cents, worker_id LIMIT %s
"""
IN_MINUS_AT = """
    SELECT everybody.worker_id AS id, at_end.balance_cents FROM report_balances AS everybody
    JOIN LATERAL (
        SELECT carried_cents AS balance_cents FROM report_totals AS total
        WHERE total.worker_id = everybody.worker_id AND day <= %s AND carried_cents IS NOT NULL
        ORDER BY day DESC LIMIT 1
    ) AS at_end ON at_end.balance_cents < 0
    WHERE (at_end.balance_cents, everybody.worker_id) > (coalesce(%s, -9e18::bigint), %s)
    ORDER BY at_end.balance_cents, everybody.worker_id LIMIT %s
"""
NEWLY = "SELECT newly_count FROM report_tally"
# Each day with its dearest task: one step down an index a day.  The days asked for, as many before
# them if that is within ten years, and those around the open one.
DASHBOARD = """
    WITH days AS MATERIALIZED (SELECT * FROM report_days), asked AS (
        SELECT today, coalesce(%s::date, today - %s) AS since, coalesce(%s::date, today) AS until,
               least(date_trunc('week', today), date_trunc('month', today), today - 7)::date
                   AS around
        FROM (SELECT max(day) AS today FROM days WHERE state = 'open') AS open
    ), wanted AS (
        SELECT *, CASE WHEN until - since BETWEEN 0 AND 3660 THEN since - (until - since + 1)
                       ELSE since END AS before FROM asked
    )
    SELECT day, fees_cents - rewards_cents AS company_cents, fees_cents, rewards_cents,
           workers_in_minus, task_id, reward_cents, posted_at, today - day AS days_ago,
           day BETWEEN since AND until AS is_asked, day BETWEEN before AND since - 1 AS is_before
    FROM wanted JOIN days ON day BETWEEN before AND until OR day BETWEEN around AND today
    LEFT JOIN LATERAL (
        SELECT task_id, amount_cents AS reward_cents, posted_at FROM report_rewards
        WHERE report_rewards.day = days.day
        ORDER BY amount_cents DESC, posted_at, task_id LIMIT 1
    ) AS dearest ON true
    ORDER BY day DESC
"""


def days(db: Server, before: Any, limit: int) -> list[Row]:
    """The company's days older than the key, newest first."""
    return db.rows(DAYS, before and before[0], limit)


def open_day(db: Server) -> date | None:
    return db.value("SELECT day FROM report_open_day")


def every_day(db: Server) -> Iterator[Row]:
    """All of them, newest first."""
    return db.stream(DAYS, None, None)


def balances(db: Server, ids: list[UUID]) -> dict[UUID, int]:
    """`{person_id: cents}` of those who were ever dealt to."""
    found = db.rows(BALANCES, [str(each) for each in ids])
    return {
        row["worker_id"]: row["balance_cents"] for row in found if row["balance_cents"] is not None
    }


def in_minus(db: Server, newly: bool, after: Any, limit: int) -> list[Row]:
    """Whose balance is below zero, the lowest first, behind the key; `newly`: those for whom it was
    not when the last day closed.
    """
    return db.rows(IN_MINUS, newly, *(after or (None, FIRST)), limit)


def in_minus_at(db: Server, day: date, after: Any, limit: int) -> list[Row]:
    """Whose balance was below zero at the end of that day, the lowest first, behind the key."""
    return db.rows(IN_MINUS_AT, day, *(after or (None, FIRST)), limit)


def newly_in_minus(db: Server) -> int:
    """For how many the balance is below zero now and was not when the last day closed."""
    return db.value(NEWLY)


def dashboard(db: Server, period: Period) -> list[Row]:
    """Days asked for, as many before them, and those around the open day, newest first, each with
    its dearest task.
    """
    return db.rows(DASHBOARD, period.since, DEFAULT_DAYS - 1, period.until)


def ago(rows: list[Row], days: int) -> Row | None:
    """The day so many days before the open one among a dashboard's rows, None if it had none."""
    return next((row for row in rows if row["days_ago"] == days), None)


def summed(rows: list[Row]) -> Row | None:
    """The sums of these days, from the first to the last; None without any."""
    if not rows:
        return None
    names = ("company_cents", "fees_cents", "rewards_cents")
    sums = {name: sum(row[name] for row in rows) for name in names}
    return {"since": rows[-1]["day"], "until": rows[0]["day"], "days": len(rows), **sums}


def dearest(rows: list[Row]) -> dict[str, Row | None]:
    """`{"day", "week", "month"}` around the open day: the row with the highest reward, the
    earliest posted of equals.
    """
    open_row = ago(rows, 0)
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
