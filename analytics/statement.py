"""One person's money: balances from the totals by day, and the transfers behind them."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal
from uuid import UUID

from analytics.period import Period
from common.db import Row, Server

Unit = Literal["day", "month"]

SUMMARY = """
    WITH open AS (SELECT max(day) AS day FROM report_open_day)
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
# The newest of the rows leads to the balance at the end of the period, or to what the page before
# handed on; each older one to what the one above it began with.
RUNNING = """
    WITH asked AS ({transfers} ORDER BY id DESC LIMIT %s), closing AS (
        SELECT coalesce(%s::bigint, (
            SELECT sum(rewards_cents - fees_cents - payouts_cents) FROM report_totals
            WHERE worker_id = %s AND day <= coalesce(%s::date, 'infinity'))) AS cents
    )
    SELECT asked.*, before_cents + amount_cents AS after_cents, before_cents FROM (
        SELECT id, (cents - sum(amount_cents) OVER (ORDER BY id DESC))::bigint AS before_cents
        FROM asked, closing
    ) AS running JOIN asked USING (id) ORDER BY id DESC
"""
BY_UNIT = """
    SELECT * FROM (
        SELECT date_trunc(%s, day)::date AS since, max(day) AS until,
               sum(rewards_cents)::bigint AS rewards_cents, sum(fees_cents)::bigint AS fees_cents,
               sum(payouts_cents)::bigint AS payouts_cents,
               sum(sum(rewards_cents - fees_cents - payouts_cents))
                   OVER (ORDER BY date_trunc(%s, day))::bigint AS balance_cents
        FROM report_totals WHERE worker_id = %s GROUP BY date_trunc(%s, day)
    ) AS running WHERE since < coalesce(%s::date, 'infinity') ORDER BY since DESC LIMIT %s
"""
# A balance begins anew where a day ended at zero, as after every payout.
SINCE_ZERO = """
    WITH zero AS (
        SELECT max(day) AS day FROM report_totals WHERE worker_id = %s AND carried_cents = 0
    )
    SELECT zero.day AS zero_day, min(total.day) AS since,
           coalesce(sum(rewards_cents), 0)::bigint AS rewards_cents,
           coalesce(sum(fees_cents), 0)::bigint AS fees_cents,
           coalesce(sum(payouts_cents), 0)::bigint AS payouts_cents
    FROM zero LEFT JOIN report_totals AS total
        ON worker_id = %s AND total.day > coalesce(zero.day, '-infinity') GROUP BY zero.day
"""


def summary(db: Server, worker_id: UUID) -> Row:
    """`{"balance_cents", "day", "today_cents"}`; zeros for somebody never dealt to."""
    found: Any = db.row(SUMMARY, worker_id, worker_id)
    return found


def filtered(worker_id: UUID, kind: str | None, period: Period) -> tuple[str, list[Any]]:
    tests = {"kind = %s": kind, "day >= %s": period.since, "day <= %s": period.until}
    given = {test: value for test, value in tests.items() if value}
    return " AND ".join([TRANSFERS, *given]), [worker_id, *given.values()]


def transfers(
    db: Server, worker_id: UUID, kind: str | None, period: Period, before: Any, limit: int
) -> list[Row]:
    """The person's transfers older than the key, newest first, signed as the person sees them,
    each with the balance it led to; of one kind alone that would lead nowhere and is None.
    """
    sql, values = filtered(worker_id, kind, period)
    last_id, closing_cents = before or (None, None)
    if last_id:
        sql, values = f"{sql} AND id < %s", [*values, last_id]
    closing = closing_cents, worker_id, period.until
    rows = db.rows(RUNNING.format(transfers=sql), *values, limit, *closing)
    if kind:
        for row in rows:
            row["after_cents"] = row["before_cents"] = None
    return rows


def every_transfer(db: Server, worker_id: UUID, kind: str | None, period: Period) -> Iterator[Row]:
    """All of them that match, newest first."""
    sql, values = filtered(worker_id, kind, period)
    return db.stream(f"{sql} ORDER BY id DESC", *values)


def by_unit(db: Server, worker_id: UUID, unit: Unit, before: date | None, limit: Any) -> list[Row]:
    """The person's days or months with money in them, newest first, each with the balance at its
    end; `limit` None: all.
    """
    return db.rows(BY_UNIT, unit, unit, worker_id, unit, before, limit)


def since_zero(db: Server, worker_id: UUID) -> Row:
    """What the balance is made of: `zero_day`, after which it was zero last (None: never), `since`,
    the first day with money after it, and the sums from there on.
    """
    found: Any = db.row(SINCE_ZERO, worker_id, worker_id)
    return found
