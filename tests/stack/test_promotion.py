import os
import signal
from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest

from common.stack import control
from common.stack.postgres import Postgres
from common.stack.state import StackError
from common.stack.status import status
from tests.stack.conftest import Up, until

COUNT = "SELECT count(*) FROM kept"
IS_STANDBY = "SELECT pg_is_in_recovery()"


@pytest.fixture
def up(start: Callable[..., Up]) -> Up:
    """A stack with one row kept."""
    up = start().wait_until_ready()
    up.query("TRACKER_DATABASE_URL", "DROP TABLE IF EXISTS kept")
    up.query("TRACKER_DATABASE_URL", "CREATE TABLE kept AS SELECT 1 AS number")
    return up


def write(up: Up) -> None:
    up.query("TRACKER_DATABASE_URL", "INSERT INTO kept VALUES (2)")


def at(up: Up, name: str, sql: str) -> object:
    """What that very server answers."""
    password = up.state.password("tracker")
    db = psycopg2.connect(
        f"host=127.0.0.1 port={up.state.port(name)} user=tracker password={password}"
    )
    with db.cursor() as cursor:
        cursor.execute(sql)
        row = cursor.fetchone()
    db.close()
    return row[0] if row else None


def test_only_a_standby_is_promoted(up: Up):
    for name in (up.state.primary, "valkey"):
        with pytest.raises(StackError, match="no standby"):
            control.server_promote(up.state, name)


def test_a_promoted_standby_takes_the_writes_and_the_old_primary_follows(
    up: Up, start: Callable[..., Up]
):
    old, new = up.state.primary, up.state.standby
    control.server_stop(up.state, old)

    control.server_promote(up.state, new)

    write(up)
    assert at(up, old, IS_STANDBY)
    until(lambda: up.query("TRACKER_REPLICA_URL", COUNT) == 2)

    up.end()
    again = start().wait_until_ready()
    assert (again.state.primary, again.state.standby) == (new, old)
    assert again.query("TRACKER_DATABASE_URL", IS_STANDBY) is False
    assert again.query("TRACKER_REPLICA_URL", IS_STANDBY) is True
    until(lambda: again.query("TRACKER_REPLICA_URL", COUNT) == 2)
    until(lambda: status(again.state)["databases"]["tracker"]["lag_s"] == 0)


def test_a_running_primary_is_fenced_before_another_leads_and_may_lead_again(up: Up):
    old, new = up.state.primary, up.state.standby

    control.server_promote(up.state, new)
    write(up)
    assert at(up, old, IS_STANDBY)

    control.server_promote(up.state, old)
    write(up)
    assert at(up, new, IS_STANDBY)
    assert up.query("TRACKER_DATABASE_URL", COUNT) == 3
    until(lambda: up.query("TRACKER_REPLICA_URL", COUNT) == 3)


def test_what_only_the_old_primary_had_is_rewound(up: Up):
    old, new = up.state.primary, up.state.standby
    control.server_stop(up.state, new)
    write(up)
    os.kill(up.child(old)["pid"], signal.SIGKILL)
    control.server_stop(up.state, old)
    control.server_start(up.state, new)

    control.server_promote(up.state, new)

    write(up)
    assert at(up, old, IS_STANDBY)
    until(lambda: at(up, old, COUNT) == at(up, new, COUNT) == 2)


def test_a_standby_that_was_away_too_long_is_copied_anew(up: Up):
    standby = up.state.standby
    control.server_stop(up.state, standby)
    with closing(Postgres(up.state, up.state.primary).connect()) as db, db.cursor() as sql:
        sql.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
        sql.execute("SELECT pg_reload_conf()")
        for _ in range(4):
            write(up)
            sql.execute("SELECT pg_switch_wal()")
        sql.execute("CHECKPOINT")
        sql.execute("ALTER SYSTEM RESET ALL")
        sql.execute("SELECT pg_reload_conf()")

    control.server_start(up.state, standby)

    until(lambda: at(up, standby, COUNT) == 5)
    write(up)
    until(lambda: at(up, standby, COUNT) == 6)


def test_a_primary_that_cannot_be_rewound_stays_down(up: Up):
    old, new = up.state.primary, up.state.standby
    control.server_stop(up.state, old)
    (up.state.folder / old / "global" / "pg_control").unlink()

    with pytest.raises(StackError, match=f"{old} stays down"):
        control.server_promote(up.state, new)

    write(up)
    assert not up.child(old)["alive"]
