"""Payout runs: closing the open day, and what became of those closed."""

from datetime import date
from uuid import UUID

from flask import Blueprint, Response, g, request

from accounting import actions, books, forms, reports, verify
from accounting.models import primary, store
from common import clock, jobs
from common.db import Row
from common.say import say
from common.web import found, look_up, paging, reading, require, respond
from common.web.forms import once

bp = Blueprint("accounting", __name__)

RUN = ("id", "day", "state", "total", "done", "paid_cents")
PAYOUT = ("worker", "amount_cents", "letter")
PAID_SIZE = 50


@bp.before_request
def only_accountants() -> None:
    require("accountant", "admin")


@bp.get("/payout-runs")
def index() -> Response:
    return respond.page("accounting/payout_runs.html", listed())


def listed() -> Row:
    """Runs; what closing the open day would do; when the books were last compared with themselves,
    and what that found.
    """
    asked = paging.asked(date)
    before = asked[0] if asked else date.max
    source = reading(store)
    rows = reports.runs(source.db, before=before, limit=paging.SIZE + 1)
    page, next_page = paging.cut(rows, key=("day",))
    return {
        "payout_runs": page,
        "next": next_page,
        "preview": reports.preview(source.db),
        "today": books.today(clock.now()),
        "verification": verify.last(source.db),
        **source.age,
    }


@bp.post("/payout-runs")
@respond.form("accounting/payout_runs.html", listed)
def close() -> Response:
    day = forms.day_to_close(request.form)

    def make() -> Row:
        made = actions.close_day(day, by=g.user.id, now=clock.now())
        return {name: made[name] for name in RUN}

    run, is_new = once(primary, make)
    if is_new:
        jobs.wake("accounting", "accounting.jobs.tick")
    message = say("The books of %(day)s are closed; payouts are on their way.", day=day)
    return respond.done(f"/payout-runs/{run['id']}", run, message=message, created=is_new)


@bp.get("/payout-runs/<uuid:run_id>")
def show(run_id: UUID) -> Response:
    run, source = look_up(store, lambda db: found(reports.run(db, run_id)))
    asked = paging.asked(UUID)
    after = asked[0] if asked else reports.FIRST
    rows = reports.payouts(source.db, run["day"], after=after, limit=PAID_SIZE + 1)
    page, next_page = paging.cut(rows, PAID_SIZE, key=("worker_id",))
    facts = {
        **run,
        "payouts": [reports.payout(row) for row in page],
        "next": next_page,
        "reconciliation": reports.reconciliation(source.db, run_id),
    }
    return respond.page("accounting/payout_run.html", facts, **source.age)


@bp.get("/payout-runs.csv")
def index_csv() -> Response:
    return respond.csv_stream("payout-runs.csv", list(RUN), reports.all_runs(reading(store).db))


@bp.get("/payout-runs/<uuid:run_id>.csv")
def show_csv(run_id: UUID) -> Response:
    db = reading(store).db
    run = found(reports.run(db, run_id))
    rows = map(reports.payout, reports.all_payouts(db, run["day"]))
    return respond.csv_stream(f"payouts-{run['day']}.csv", list(PAYOUT), rows)
