"""The gateway's processes and commands."""

import sys
import time
from contextlib import suppress
from uuid import UUID

import click
import redis

from common import clock, config, stream
from common.retention import Kept
from common.roles import ROLES
from common.service import Service, services
from gateway.models import primary, store

WAIT_S = 5.0
ENTRY = """
    SELECT entry_id FROM outbox
    WHERE type = 'user.added' AND created_at > now() - interval '10 minutes'
          AND envelope::json ->> 'subject' = %s
"""


@click.group()
def user() -> None:
    """The people of the company."""


@user.command()
@click.argument("email")
@click.option("--name", required=True)
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add(email: str, name: str, role: str, password_stdin: bool) -> None:
    """Give a person access; without a password they are invited to choose one."""
    from gateway import (
        actions,
        forms,
        passwords,
    )  # not for relays, which start through this module too

    settings = config.current()
    service.open(settings)
    new = forms.new_user({"email": email, "name": name, "role": role})
    if password_stdin:
        new = new._replace(password=forms.given_password(sys.stdin.readline().rstrip("\r\n")))
        if weak := passwords.problem(new.password or "", email=email, name=name):
            click.echo(f"Warning: {weak}", err=True)
    added = actions.add_user(new, now=clock.now())
    click.echo(added["id"])
    if missing := wait_for_listeners(settings, added["id"]):
        click.echo(f"Warning: {' and '.join(missing)} have not heard of {email} yet.", err=True)


def wait_for_listeners(settings: config.Config, user_id: UUID) -> list[str]:
    """The services that have not taken the person in after five seconds."""
    groups = [each.name for each in services() if service.name in each.listens]
    end = time.monotonic() + WAIT_S
    with suppress(redis.RedisError), stream.connect(settings.bus_url, timeout_s=2) as bus:
        while groups and time.monotonic() < end:
            if entry_id := primary.value(ENTRY, str(user_id)):
                groups = [group for group in groups if lacks(bus, group, entry_id)]
            time.sleep(0.05)
    return groups


def lacks(bus: redis.Redis, group: str, entry_id: str) -> bool:
    """Whether the group has yet to read or acknowledge the entry."""
    name = stream.name_of(service.name)
    found: list = bus.xinfo_groups(name)
    last = {each["name"]: each["last-delivered-id"] for each in found}.get(group, stream.START)
    if stream.id_key(last) < stream.id_key(entry_id):
        return True
    return bool(bus.xpending_range(name, group, entry_id, entry_id, 1))


TRACED = """
    SELECT at, concat_ws(' ', what, object, status) FROM audit
    WHERE request_id = %(id)s AND %(ids)s::uuid[] IS NOT NULL
"""

KEPT = (
    Kept(
        "session",
        "DELETE FROM session WHERE id IN (SELECT id FROM session"
        " WHERE expires_at < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED)",
        days=1,
    ),
    Kept(
        "link",
        "DELETE FROM link WHERE id IN (SELECT id FROM link"
        " WHERE expires_at < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED)",
        days=30,
    ),
    Kept(
        "audit",
        "DELETE FROM audit WHERE id IN (SELECT id FROM audit"
        " WHERE at < %(before)s ORDER BY at, id LIMIT %(limit)s)",
        days=730,
        setting="EXCHANGE_AUDIT_DAYS",
        days_min=366,  # the database keeps a year whatever is said
    ),
)

service = Service(
    name="gateway",
    app="gateway.app:create_app",
    store=store,
    has_relay=True,
    demo="gateway.demo:play",
    kept=KEPT,
    traced=TRACED,
    commands=(user,),
)
