"""Why a transfer was posted: what happened, by which rule, and the draws behind its figures."""

from typing import Any
from uuid import UUID

from analytics import names
from analytics.sources import sources
from common.chance import draw
from common.db import Row
from common.errors import Away, NotFound
from common.say import say
from common.web import look_up, reading

TRANSFER = """
    SELECT id, kind, cause, signed_cents AS amount_cents, amount_cents AS size_cents, day,
           occurred_at, posted_at, worker_id, task_id, run_id, reverses_id, reason, debit, credit
    FROM report_transfers WHERE id = %s
"""
REVERSED_BY = "SELECT id FROM report_transfers WHERE reverses_id = %s AND kind = 'reversal'"
PRICE = "SELECT fee_cents, reward_cents, seed FROM report_prices WHERE task_id = %s"
RUN = """
    SELECT id, kind, state, seed_sha256, seed, requested_at, worker_count FROM report_runs
    WHERE id = %s
"""
DRAWN = "SELECT worker_ids[1 + %s] FROM report_runs WHERE id = %s"
EVENTS = {"completion_reward": "task.completed", "reversal": "task.withdrawn"}


def transfer(transfer_id: UUID) -> tuple[Row, Row]:
    """The transfer, `reversed_by` included, and the age of what it was read from.
    Raises NotFound.
    """

    def ask(db: Any) -> Row:
        found = db.row(TRANSFER, transfer_id)
        if found is None:
            raise NotFound(say("There is no such transfer."))
        return {**found, "reversed_by": db.value(REVERSED_BY, transfer_id)}

    found, source = look_up(sources["accounting"], ask)
    return found, source.age


def event_of(found: Row, run: Row | None) -> str | None:
    """The event that made accounting post it; None if the close of a day or a person did."""
    if found["kind"] == "deal_fee":
        return "task.added" if run and run["kind"] == "addition" else "tasks.dealt"
    return None if found["reason"] else EVENTS.get(found["kind"])


def run_of(found: Row) -> Row | None:
    """The run of deals the transfer belongs to; None without one, or while the tracker is away."""
    if not found["run_id"]:
        return None
    try:
        return reading(sources["tracker"]).db.row(RUN, found["run_id"])
    except Away:
        return None


def draws(found: Row, run: Row | None, ranges: dict[str, tuple[int, int]]) -> list[Row]:
    """Each draw behind the transfer, made again: `{"label", "seed", "n", "result", "agrees"}`."""
    made = []
    if found["task_id"] and run and run["seed"]:
        made.append(deal_again(found, run))
    priced = {"deal_fee": "fee", "completion_reward": "reward"}.get(found["cause"])
    if found["task_id"] and priced:
        made.append(price_again(found, priced, *ranges[priced]))
    return made


def deal_again(found: Row, run: Row) -> Row:
    seed, count = bytes(run["seed"]), run["worker_count"]
    result = draw("deal", seed, found["task_id"], count)
    drawn_id = sources["tracker"].reading().db.value(DRAWN, result, run["id"])
    agrees = drawn_id == found["worker_id"]
    return {"label": "deal", "seed": seed.hex(), "n": count, "result": result, "agrees": agrees}


def price_again(found: Row, label: str, low: int, high: int) -> Row:
    """The price drawn from the range of today; drawn from another one it need not agree."""
    price: Any = reading(sources["accounting"]).db.row(PRICE, found["task_id"])
    seed, count = bytes(price["seed"]), high - low + 1
    result = draw(label, seed, found["task_id"], count)
    agrees = (low + result) * 100 == price[f"{label}_cents"]
    return {
        "label": label,
        "seed": seed.hex(),
        "n": count,
        "result": result,
        "low": low,
        "agrees": agrees,
    }


def explained(found: Row, ranges: dict[str, tuple[int, int]]) -> Row:
    """The transfer as pages and JSON explain it."""
    run = run_of(found)
    known = names.titles([found["task_id"]])
    shown = ("id", "kind", "amount_cents", "day", "posted_at", "occurred_at", "reason")
    return {
        **{name: found[name] for name in shown},
        "task": names.task(found["task_id"], known),
        "event": event_of(found, run),
        "run": run and {name: run[name] for name in ("id", "kind", "state", "seed_sha256")},
        "draws": draws(found, run, ranges),
        "reverses": found["reverses_id"],
        "reversed_by": found["reversed_by"],
        "debit": found["debit"],
        "credit": found["credit"],
    }
