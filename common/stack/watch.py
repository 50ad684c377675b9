"""`exchange status --watch`: what runs, how old the replica is and how far each group is behind."""

import time
from contextlib import suppress
from typing import Any

from redis import RedisError
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table

from common import bus_status, stream
from common.stack.status import status

EVERY_S = 1.0


def watch_status(folder: str | None) -> None:
    """Shows it anew every second until interrupted.  Raises StackError if there is no stack."""
    with suppress(KeyboardInterrupt), Live(picture(status(folder)), auto_refresh=False) as live:
        while True:
            time.sleep(EVERY_S)
            live.update(picture(status(folder)), refresh=True)


def picture(found: dict[str, Any]) -> RenderableType:
    """What `status` found and what the bus says, as tables."""
    runs = table(found["url"], "what", "state", "pid", "port", "restarts")
    for child in found["servers"] + found["processes"]:
        state = "[green]up[/]" if child["alive"] else "[red]down[/]"
        known = (child["pid"], child["port"], child.get("restarts"))
        runs.add_row(child["name"], state, *(str(each or "") for each in known))
    replicas = table("replicas", "database", "behind")
    for name, database in found["databases"].items():
        lag = database["lag_s"]
        replicas.add_row(name, "[red]unknown[/]" if lag is None else f"{lag:.1f} s")
    return Group(runs, replicas, groups(found["bus"]))


def groups(bus_url: str) -> RenderableType:
    """How far each group is behind on its stream."""
    shown = table("bus", "stream", "group", "lag", "pending", "oldest")
    try:
        with stream.connect(bus_url, timeout_s=1) as bus:
            rows = bus_status.lags(bus)
    except RedisError as error:
        return f"[red]The bus does not answer: {error}[/]"
    for row in rows:
        lag = "unknown" if row["lag"] is None else str(row["lag"])
        shown.add_row(row["stream"], row["group"], lag, str(row["pending"]), f"{row['oldest_s']} s")
    return shown


def table(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column)
    return made
