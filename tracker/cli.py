"""The tracker's processes and commands."""

from pathlib import Path
from uuid import UUID

import click

from common import chance, clock, config
from common.db import deadline
from common.errors import Invalid, Refused
from common.figures import Gauge
from common.service import Service
from tracker.models import primary, store

STATEMENT_S = 60
SHOWN_MAX = 20
FIRST_MANAGER = """
    SELECT id FROM person WHERE is_active AND role IN ('manager', 'admin')
        AND (%s::uuid IS NULL OR id = %s) ORDER BY role, id LIMIT 1
"""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", type=click.UUID, help="Who adds them; else the first admin.")
def import_command(file: Path, by: UUID | None) -> None:
    """Add a task for each row of FILE, a CSV of any size with the column title."""
    from tracker import actions, importing

    service.open(config.current())
    adder = primary.value(FIRST_MANAGER, by, by)
    if adder is None:
        raise Refused("There is no such active manager or admin to add them.")
    report = importing.Report()
    with (
        deadline(STATEMENT_S),
        open(file, "rb") as source,
        click.progressbar(length=2 * file.stat().st_size, label="Importing") as bar,
    ):
        importing.check_text(source, bar.update)
        try:
            for batch in importing.batches(source, report):
                report.added += actions.import_tasks(
                    batch, by=adder, now=clock.now(), seed=chance.new_seed()
                )
                bar.update(source.tell() + file.stat().st_size - bar.pos)
        except Invalid as error:
            raise Refused(
                f"{error.fields['file']} {report.added:,} tasks were added before."
            ) from error
    click.echo(f"{report.added:,} tasks added, {len(report.refused):,} rows refused.")
    for refused in report.refused[:SHOWN_MAX]:
        click.echo(f"  row {refused['row']}: {refused['reason']}")
    if (more := len(report.refused) - SHOWN_MAX) > 0:
        click.echo(f"  and {more:,} more")


@click.group("reassignments")
def reassignments_group() -> None:
    """Look into runs of deals."""


@reassignments_group.command("check")
@click.argument("run", type=click.UUID)
def check(run: UUID) -> None:
    """Draw again every deal of RUN that is still its task's last, and compare."""
    from tracker import reassignments

    service.open(config.current())
    with deadline(STATEMENT_S):
        found = reassignments.drawn_again(primary, run)
    click.echo(f"{found.checked - found.different:,} of {found.checked:,} deals agree.")
    if found.workers:
        click.echo(
            f"Each of {found.workers:,} people was to get {found.checked / found.workers:,.1f};"
            f" the fewest are {found.fewest:,}, the most {found.most:,}."
        )
    if found.different:
        raise Refused(f"{found.different:,} deals do not follow from the seed.")


TRACED = """
    SELECT requested_at, concat_ws(' ', kind, state, 'run', id) FROM run
    WHERE id = ANY(%(ids)s::uuid[]) AND kind <> 'addition'
"""
RUNS = Gauge(
    "exchange_runs",
    "Reassignments and departures that are not over.",
    "SELECT kind, state, count(*) AS value FROM run"
    " WHERE state IN ('requested', 'running', 'paused') GROUP BY kind, state",
)
RUN_AGE = Gauge(
    "exchange_run_oldest_seconds",
    "Since the oldest of them that is not paused was asked for.",
    "SELECT coalesce(extract(epoch FROM now() - min(requested_at)), 0) AS value FROM run"
    " WHERE state IN ('requested', 'running')",
)

service = Service(
    name="tracker",
    app="tracker.app:create_app",
    store=store,
    handlers="tracker.handlers:HANDLERS",
    listens=("gateway", "accounting"),
    has_relay=True,
    has_jobs=True,
    tick="tracker.jobs.tick",
    tick_s=4,
    demo="tracker.demo:play",
    traced=TRACED,
    gauges=(RUNS, RUN_AGE),
    commands=(import_command, reassignments_group),
)
