"""`exchange events …`: what the bus and the dead letters look like from a terminal."""

import click

from common import bus_status, config, relay, stream
from common.service import services


@click.group()
def events() -> None:
    """Look after the bus."""


@events.command()
def lag() -> None:
    """Show how far each group is behind, and what waits to be published."""
    settings = config.current()
    for row in bus_status.lags(stream.connect(settings.bus_url)):
        behind = "unknown" if row["lag"] is None else row["lag"]
        click.echo(
            f"{row['stream']:<20} {row['group']:<12} lag {behind!s:<8} pending {row['pending']:<8}"
            f" oldest {row['oldest_s']} s"
        )
    for service in services():
        if service.has_relay:
            service.open(settings)
            waiting, oldest_s = relay.backlog(service.primary())
            click.echo(f"{service.name + ' outbox':<33} waiting {waiting} oldest {oldest_s:.1f} s")


@events.command()
@click.option("--limit", default=50, show_default=True, help="How many of each service.")
def dead(limit: int) -> None:
    """List events that could not be handled, newest first."""
    found = 0
    for service in services():
        if not service.store:
            continue
        service.open(config.current())
        rows = service.primary().rows("SELECT * FROM dead_letter ORDER BY id DESC LIMIT %s", limit)
        for row in rows:
            at = row["at"].isoformat(timespec="seconds")
            click.echo(f"{row['id']} {service.name} {at} ×{row['deliveries']} {row['error']}")
        found += len(rows)
    if not found:
        click.echo("No dead letters.")
