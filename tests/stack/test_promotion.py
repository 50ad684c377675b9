from collections.abc import Callable

import pytest

from common.stack import control
from common.stack.state import StackError
from common.stack.status import status
from tests.stack.conftest import Up, until

WRITE = "INSERT INTO kept VALUES (2)"
COUNT = "SELECT count(*) FROM kept"
IS_STANDBY = "SELECT pg_is_in_recovery()"


def test_a_promoted_standby_takes_the_writes_and_the_old_primary_follows(start: Callable[..., Up]):
    up = start().wait_until_ready()
    up.query("TRACKER_DATABASE_URL", "CREATE TABLE kept AS SELECT 1 AS number")

    control.server_stop(up.state, "postgres-primary")
    control.server_promote(up.state, "postgres-standby")

    up.query("TRACKER_DATABASE_URL", WRITE)
    assert up.query("TRACKER_REPLICA_URL", COUNT) == 2
    old = control.Postgres(up.state, "postgres-primary")
    with old.connect() as db, db.cursor() as sql:
        sql.execute(IS_STANDBY)
        assert sql.fetchone() == (True,)

    up.end()
    again = start().wait_until_ready()
    assert again.query("TRACKER_DATABASE_URL", IS_STANDBY) is False
    assert again.query("TRACKER_REPLICA_URL", IS_STANDBY) is True
    until(lambda: again.query("TRACKER_REPLICA_URL", COUNT) == 2)
    until(lambda: status(again.state)["databases"]["tracker"]["lag_s"] == 0)


def test_a_running_primary_is_fenced_before_another_leads(start: Callable[..., Up]):
    up = start().wait_until_ready()
    up.query("TRACKER_DATABASE_URL", "CREATE TABLE kept AS SELECT 1 AS number")

    control.server_promote(up.state, "postgres-standby")
    up.query("TRACKER_DATABASE_URL", WRITE)
    until(lambda: up.child("postgres-primary")["alive"])

    # And back again, so that either may lead.
    control.server_promote(up.state, "postgres-primary")
    up.query("TRACKER_DATABASE_URL", WRITE)
    assert up.query("TRACKER_DATABASE_URL", COUNT) == 3
    until(lambda: up.query("TRACKER_REPLICA_URL", COUNT) == 3)


def test_a_primary_that_cannot_be_rewound_stays_down(start: Callable[..., Up]):
    up = start().wait_until_ready()
    control.server_stop(up.state, "postgres-primary")
    (up.state.folder / "postgres-primary" / "global" / "pg_control").unlink()

    with pytest.raises(StackError, match="postgres-primary stays down"):
        control.server_promote(up.state, "postgres-standby")

    up.query("TRACKER_DATABASE_URL", "CREATE TABLE kept AS SELECT 1 AS number")
    assert not up.child("postgres-primary")["alive"]


def test_a_primary_is_not_promoted(start: Callable[..., Up]):
    up = start().wait_until_ready()

    with pytest.raises(StackError, match="no standby"):
        control.server_promote(up.state, "postgres-primary")
