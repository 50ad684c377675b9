"""What runs in a state folder, and where: `exchange status`."""

import json
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import psutil
import psycopg2

from common.db import deadline
from common.stack.child import Child, lives
from common.stack.state import LISTENERS, OWNERS, SERVERS, State, addresses, load_env, replace

# A standby that receives nothing cannot say how late it is; one with nothing to replay is not late.
LAG = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0.0
            WHEN NOT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') THEN NULL
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0.0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float
"""


def record(state: State, children: Iterable[Child], stopping: bool = False) -> None:
    """`status` knows these children from now on."""
    known = [
        {"name": c.name, "pid": pid, "port": c.port, "restarts": c.restarts, "born": born(pid)}
        for c in children
        for pid in [c.process.pid if c.process and c.is_alive else None]
    ]
    replace(state.folder / "status.json", json.dumps({"stopping": stopping, "children": known}))


def born(pid: int | None) -> float | None:
    """When the live process `pid` started; None: there is none.  Tells it from a later namesake."""
    try:
        process = psutil.Process(pid) if pid else None
        return process.create_time() if process and lives(process) else None
    except psutil.Error:
        return None


def recorded(state: State) -> dict[str, Any]:
    path = state.folder / "status.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return known


def is_stopping(state: State) -> bool:
    """The stack is on its way out."""
    return bool(recorded(state).get("stopping"))


def status(folder: State | str | None = None) -> dict[str, Any]:
    """The stack's processes, servers and addresses, whether it is up or down.

    Raises StackError if the folder holds no stack.
    """
    state = State.at(folder)
    env = load_env(state)
    # As of now, not of the start: a promotion has turned the two around since.
    ports = {name: state.port(name) for name in (*SERVERS, *LISTENERS)}
    env |= addresses(state, state.read()["STACK_SECRET"], ports)
    lag = lag_s(alone(env["TRACKER_REPLICA_URL"]))
    known = {child["name"]: alive(child) for child in recorded(state).get("children", [])}
    names = ("name", "pid", "port", "alive")
    return {
        "url": env["EXCHANGE_URL"],
        "processes": [child for name, child in known.items() if name not in SERVERS],
        "servers": [{key: known[name][key] for key in names} for name in SERVERS if name in known],
        "databases": {
            name: {
                "primary": alone(env[f"{name.upper()}_DATABASE_URL"]),
                "replica": alone(env[f"{name.upper()}_REPLICA_URL"]),
                "lag_s": lag,
            }
            for name in OWNERS
        },
        "bus": env["BUS_URL"],
        "queue": env["QUEUE_URL"],
        "inbox": str(state.inbox),
    }


def alone(url: str) -> str:
    """The address with its first host only, any client reads that."""
    credentials, _, rest = url.partition("@")
    hosts, _, database = rest.partition("/")
    return f"{credentials}@{hosts.split(',')[0]}/{database.partition('?')[0]}"


def alive(child: dict[str, Any]) -> dict[str, Any]:
    """`child` as it was recorded, and whether it lives."""
    is_alive = child["born"] is not None and born(child["pid"]) == child["born"]
    fields = ("name", "pid", "port")
    return {key: child[key] for key in fields} | {"alive": is_alive, "restarts": child["restarts"]}


def lag_s(replica: str) -> float | None:
    """How far the standby, one for all databases, is behind; None: nobody knows."""
    try:
        with deadline(2), closing(psycopg2.connect(replica)) as db, db.cursor() as sql:
            sql.execute(LAG)
            row = sql.fetchone()
    except psycopg2.Error:
        return None
    return row[0] if row else None
