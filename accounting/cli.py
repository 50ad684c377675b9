"""`exchange accounting …`, `exchange ledger …`, `exchange payouts …`."""

from datetime import datetime
from itertools import chain
from uuid import UUID

import click

from accounting import actions, audit, books, models, payouts, verify
from common import clock, config
from common.errors import Refused
from common.figures import Gauge
from common.money import format_cents
from common.service import Service, services

SHOWN_MAX = 50


@click.group()
def ledger() -> None:
    """Look after the ledger."""


@ledger.command("verify")
@click.option(
    "--wait",
    "wait_s",
    default=0.0,
    metavar="SECONDS",
    help="Wait so long until what was said has been heard.",
)
def verify_ledger(wait_s: float) -> None:
    """Recompute every balance and total from the transfers, and compare the transfers with what
    the tracker says and what analytics shows.
    """
    settings = config.current()
    for each in services():
        each.open(settings)
    others = audit.Audit(settings, wait_s)
    count = 0
    for count, sentence in enumerate(chain(verify.differences(), others.differences()), 1):
        if count <= SHOWN_MAX:
            click.echo(sentence)
    if others.on_its_way:
        click.echo(f"Not counted: {others.on_its_way:,} facts that may still be on their way.")
    if count:
        raise Refused(f"The ledger does not agree in {count:,} places.")
    click.echo(f"Balances, totals, deals and reports agree with the {verify.count():,} transfers.")


@ledger.command()
@click.argument("transfer", type=click.UUID)
@click.option("--reason", required=True, help="Why; kept with the reversal.")
def reverse(transfer: UUID, reason: str) -> None:
    """Take TRANSFER back by posting its reversal in the open day."""
    service.open(config.current())
    made = actions.reverse_transfer(transfer, reason=reason, now=clock.now())
    amount = format_cents(made["amount_cents"], models.Agreed.terms.currency)
    click.echo(f"Reversed {amount} in {made['day']} as {made['id']}.")


@click.group("payouts")
def pay() -> None:
    """Close days and pay them out."""


@pay.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Close this open day now.")
def run(day: datetime | None) -> None:
    """Close the days that are over, or DAY, and pay everything there is to pay."""
    service.open(config.current())
    now = clock.now()
    if day:
        actions.close_day(day.date(), by=None, now=now)
    else:
        actions.close_due_days(now=now)
    finished = payouts.pay_all(now=now)
    for row in payouts.runs(finished):
        amount = format_cents(row["paid_cents"], models.Agreed.terms.currency)
        click.echo(f"{row['day']}: {amount} paid, {row['total']:,} workers settled.")
    with models.primary.atomic():
        opened = books.share(now)
    click.echo(f"{'' if finished else 'Nothing to pay. '}The books are open for {opened}.")


VERIFIED_AGE = Gauge(
    "exchange_verification_age_seconds",
    "Since the ledger was last compared with itself.",
    "SELECT extract(epoch FROM now() - max(at)) AS value FROM verification",
)
FINDINGS = Gauge(
    "exchange_verification_findings",
    "How many places of the ledger did not agree then.",
    "SELECT findings AS value FROM verification ORDER BY day DESC LIMIT 1",
)
TRACED = """
    SELECT posted_at, concat_ws(' ', 'transfer', id, kind, amount_cents, 'cents') FROM transfer
    WHERE id = ANY(%(ids)s::uuid[])
        OR kind = 'completion_reward' AND task_id = ANY(%(ids)s::uuid[])
        OR kind = 'deal_fee' AND run_id = ANY(%(ids)s::uuid[]) AND task_id = ANY(%(ids)s::uuid[])
"""
PAYOUT_RUNS = Gauge(
    "exchange_payout_runs",
    "Payout runs that are not over.",
    "SELECT state, count(*) AS value FROM payout_run WHERE state <> 'done' GROUP BY state",
)
DAY_AGE = Gauge(
    "exchange_day_open_seconds",
    "How long the open business day has been.",
    "SELECT extract(epoch FROM now() - opened_at) AS value FROM business_day WHERE state = 'open'",
)

service = Service(
    name="accounting",
    app="accounting.app:create_app",
    store=models.store,
    handlers="accounting.handlers:HANDLERS",
    listens=("gateway", "tracker", "mailer"),
    has_relay=True,
    has_jobs=True,
    prepare="accounting.books:prepare",
    tick="accounting.jobs.tick",
    tick_s=30,
    connect=models.agree,
    demo="accounting.demo:play",
    traced=TRACED,
    gauges=(PAYOUT_RUNS, DAY_AGE, VERIFIED_AGE, FINDINGS),
    commands=(ledger, pay),
)
