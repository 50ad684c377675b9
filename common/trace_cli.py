"""`exchange trace`: one click followed through every service, by the id its answer carried."""

import re
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import click

from common import config
from common.db import deadline
from common.errors import NotFound
from common.events.base import Envelope
from common.service import Service, services

SCAN_S = 60
EVENTS_MAX = 200

# Of what the outboxes keep.  Only a traceparent reads like this; to parse each would take minutes.
EVENTS = """
    SELECT envelope FROM outbox
    WHERE envelope LIKE '%%"00-' || %s || '-%%'
    ORDER BY id LIMIT %s
"""
IDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Step(NamedTuple):
    """Something that followed from the click."""

    at: datetime
    service: str
    what: str


def told(service: Service, trace_id: str) -> tuple[list[Step], set[str]]:
    """The events the service said, and every id that stands in them."""
    texts = [row["envelope"] for row in service.primary().rows(EVENTS, trace_id, EVENTS_MAX)]
    said = [Envelope.read(text) for text in texts]
    steps = [Step(each.time, service.name, f"said {each.type}, event {each.id}") for each in said]
    return steps, {each for text in texts for each in IDS.findall(text)}


def effects(service: Service, trace_id: str, ids: set[str]) -> list[Step]:
    """What stands in the service's database of these ids."""
    if not service.traced:
        return []
    asked = {"id": trace_id, "ids": sorted(ids)}
    rows = service.primary().execute_sql(service.traced, asked).fetchall()
    return [Step(at, service.name, what) for at, what in rows]


@click.command("trace")
@click.argument("request", metavar="ID")
def trace(request: str) -> None:
    """Follow a click by the X-Request-Id of its answer: events, transfers, letters."""
    trace_id = request.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", trace_id):
        raise click.BadParameter("it has 32 hexadecimal digits.", param_hint="ID")
    owners = [service.open(config.current()) for service in services() if service.store]
    steps: list[Step] = []
    ids = {str(UUID(trace_id))}
    with deadline(SCAN_S):
        for service in owners:
            said, more = told(service, trace_id)
            steps, ids = steps + said, ids | more
        for service in owners:
            steps += effects(service, trace_id, ids)
    if not steps:
        raise NotFound("Nothing that is kept follows from that request.")
    for step in sorted(steps):
        at = step.at.isoformat(timespec="milliseconds")
        click.echo(f"{at}  {step.service:<11} {step.what}")
