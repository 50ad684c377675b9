"""`exchange events …`: what the bus and the dead letters look like from a terminal, and what a
person can do about them.
"""

import getpass
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click

from common import bus_status, clock, config, relay, stream
from common import dead as dead_letters
from common.errors import NotFound
from common.service import Service, load, services

SERVICE = click.option("--service", "name", help="Only this service; otherwise all.")
BY = click.option(
    "--by", default=getpass.getuser, show_default="the system's user", help="Who to log."
)


class Moment(click.ParamType):
    """A past moment in ISO 8601, UTC unless it says otherwise."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time; give one like 2026-11-02T08:00Z.", param, ctx)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment > clock.now():
            self.fail(f"{value!r} has yet to come.", param, ctx)
        return moment


def opened(trait: str, name: str | None) -> Iterator[Service]:
    """The services with `trait` (`store`, `handlers`, `has_relay`), or the named one of them."""
    having = {service.name: service for service in services() if getattr(service, trait)}
    if name and name not in having:
        raise click.BadParameter(
            f"{name!r} is none of {', '.join(having)}.", param_hint="--service"
        )
    for service in [having[name]] if name else having.values():
        yield service.open(config.current())


@click.group()
def events() -> None:
    """Look after the bus."""


@events.command()
def lag() -> None:
    """Show how far each group is behind, and what waits to be published."""
    for row in bus_status.lags(stream.connect(config.current().bus_url)):
        behind = "unknown" if row["lag"] is None else row["lag"]
        click.echo(
            f"{row['stream']:<20} {row['group']:<12} lag {behind!s:<8} pending {row['pending']:<8}"
            f" oldest {row['oldest_s']} s"
        )
    for service in opened("has_relay", None):
        waiting, oldest_s = relay.backlog(service.primary())
        click.echo(f"{service.name + ' outbox':<33} waiting {waiting} oldest {oldest_s:.1f} s")


@events.command()
@click.option("--limit", default=50, show_default=True, help="How many of each service.")
@SERVICE
def dead(limit: int, name: str | None) -> None:
    """List events that could not be handled, newest first."""
    found = 0
    for service in opened("store", name):
        rows = service.primary().rows("SELECT * FROM dead_letter ORDER BY id DESC LIMIT %s", limit)
        for row in rows:
            at = row["at"].isoformat(timespec="seconds")
            click.echo(f"{row['id']} {service.name} {at} ×{row['deliveries']} {row['error']}")
        found += len(rows)
    if not found:
        click.echo("No dead letters.")


@events.command()
@click.argument("dead_id", metavar="[ID]", type=click.UUID, required=False)
@click.option("--all", "every", is_flag=True, help="All dead letters.")
@SERVICE
@BY
def redrive(dead_id: UUID | None, every: bool, name: str | None, by: str) -> None:
    """Handle a dead letter now, or all of them; exits 1 if any fails again."""
    if every == (dead_id is not None):
        raise click.UsageError("Name one dead letter, or give --all.")
    if dead_id:
        owner = owner_of(dead_id, name)
        dead_letters.redrive(owner.primary(), dead_id, load(owner.handlers), by=by)
        click.echo("1 handled.")
        return
    handled, failed = 0, dict[UUID, str]()
    for service in opened("handlers", name):
        handlers = load(service.handlers)
        gone, stay = dead_letters.redrive_all(service.primary(), handlers, by=by)
        handled, failed = handled + gone, failed | stay
    click.echo(f"{handled} handled.")
    for failed_id, why in failed.items():
        click.echo(f"{failed_id} failed again: {why}", err=True)
    if failed:
        raise click.exceptions.Exit(1)


@events.command()
@click.argument("dead_id", metavar="ID", type=click.UUID)
@click.option("--reason", required=True, help="Why it is not needed.")
@SERVICE
@BY
def discard(dead_id: UUID, reason: str, name: str | None, by: str) -> None:
    """Give a dead letter up for good; who did it and why is kept."""
    owner = owner_of(dead_id, name)
    dead_letters.discard(owner.primary(), dead_id, reason=reason, by=by)
    click.echo("Discarded.")


@events.command()
@click.option("--since", required=True, type=Moment(), help="Like 2026-11-02T08:00Z.")
@SERVICE
@BY
def republish(since: datetime, name: str | None, by: str) -> None:
    """Publish again what was published since then; what was handled is not handled twice."""
    for service in opened("has_relay", name):
        count = relay.republish(service.primary(), since, by=by)
        click.echo(f"{service.name}: {count} events go again.")


def owner_of(dead_id: UUID, name: str | None) -> Service:
    """The service that has the dead letter.  Raises NotFound if none has."""
    for service in opened("handlers", name):
        if service.primary().value("SELECT 1 FROM dead_letter WHERE id = %s", dead_id):
            return service
    raise NotFound("There is no such dead letter; it may have been dealt with already.")
