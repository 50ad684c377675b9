"""`exchange up`, `status` and `server`: the embedded stack from the command line."""

import json
import os
from pathlib import Path

import click

from common.stack import control
from common.stack.launcher import Plan, become_launcher
from common.stack.state import SERVERS, State
from common.stack.status import status as read_status

state_option = click.option(
    "--state",
    type=click.Path(file_okay=False),
    help="The folder that holds all of the stack [default: EXCHANGE_STATE, or .state].",
)
name_argument = click.argument("name", type=click.Choice(SERVERS))


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), help="The gateway's [default: as last, 8000]."
)
@state_option
@click.option("--procfile", type=click.Path(exists=True, dir_okay=False), help="What to run.")
@click.option("--with-parent", is_flag=True, help="End when the program that started this ends.")
def up(port: int | None, state: str | None, procfile: str | None, with_parent: bool) -> None:
    """Start everything: servers, databases and processes, until Ctrl-C."""
    if port:
        os.environ.pop("GATEWAY_BIND", None)
        os.environ.pop("EXCHANGE_URL", None)
    parent = os.getppid() if with_parent else None
    folder = str(State.at(state).folder)
    become_launcher(Plan(folder, procfile or str(default_procfile()), port, parent=parent))


def default_procfile() -> Path:
    """The one of the working directory, or else of the checkout this runs from."""
    here = Path("procfiles", "dev")
    return here if here.exists() else Path(__file__).parents[2] / here


@click.command()
@state_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--watch", is_flag=True, help="As a table that goes on, until Ctrl-C.")
def status(state: str | None, as_json: bool, watch: bool) -> None:
    """Say what runs, and where."""
    if watch:
        from common.stack.watch import watch_status

        watch_status(state)
        return
    found = read_status(state)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(found["url"])
    for child in found["servers"] + found["processes"]:
        how = f"up, pid {child['pid']}" if child["alive"] else "down"
        where = f", port {child['port']}" if child["port"] else ""
        again = f", {child['restarts']} restarts" if child.get("restarts") else ""
        click.echo(f"{child['name']:20}{how}{where}{again}")
    for name, database in found["databases"].items():
        lag = database["lag_s"]
        click.echo(f"{name:20}replica {'unknown' if lag is None else f'{lag:.1f} s'} behind")


@click.group()
def server() -> None:
    """Work the embedded servers by hand."""


@server.command()
@name_argument
@state_option
def stop(name: str, state: str | None) -> None:
    """Stop a server; it stays down until it is started."""
    control.server_stop(state, name)


@server.command()
@name_argument
@state_option
def start(name: str, state: str | None) -> None:
    """Start a server that was stopped."""
    control.server_start(state, name)


@server.command()
@name_argument
@state_option
def promote(name: str, state: str | None) -> None:
    """Let a standby take the writes; the old primary follows it from then on."""
    control.server_promote(state, name)
