import os
import signal
import socket
import subprocess
from collections.abc import Callable

from common.stack import control
from common.stack.child import family
from common.stack.status import status
from tests.stack.conftest import Up, until


def test_status_names_everything_that_runs(up: Up):
    found = status(up.state)

    assert found["url"] == f"http://127.0.0.1:{up.port}"
    assert [c["name"] for c in found["processes"]] == ["sleeper-work", "sleeper-relay"]
    assert set(found["processes"][0]) == {"name", "pid", "port", "alive", "restarts"}
    servers = ["postgres-primary", "postgres-standby", "valkey", "smtp"]
    assert [c["name"] for c in found["servers"]] == servers
    assert all(c["alive"] for c in found["processes"] + found["servers"])
    assert set(found["databases"]) == {"tracker", "accounting", "gateway", "mailer"}
    assert found["databases"]["tracker"]["lag_s"] is not None


def test_a_killed_process_starts_again_after_its_whole_group_ended(up: Up):
    before = up.child("sleeper-work")
    group = {process.pid for process in family(up.state)["sleeper-work"]}
    assert len(group) == 2

    os.kill(before["pid"], signal.SIGKILL)

    until(lambda: up.child("sleeper-work")["restarts"] == before["restarts"] + 1, 2)
    until(lambda: len(family(up.state)["sleeper-work"]) == 2, 2)
    assert not group & {process.pid for process in family(up.state)["sleeper-work"]}


def test_a_killed_primary_recovers_with_its_data(up: Up):
    up.query("TRACKER_DATABASE_URL", "CREATE TABLE recovered AS SELECT 7 AS number")

    os.kill(up.child("postgres-primary")["pid"], signal.SIGKILL)

    until(lambda: up.query("TRACKER_DATABASE_URL", "SELECT number FROM recovered") == 7)
    until(lambda: up.query("TRACKER_REPLICA_URL", "SELECT number FROM recovered") == 7)
    until(lambda: status(up.state)["databases"]["tracker"]["lag_s"] == 0)


def test_a_stopped_server_stays_stopped_until_it_is_started(up: Up):
    restarts = up.child("sleeper-relay")["restarts"]
    control.server_stop(up.state, "valkey")
    os.kill(up.child("sleeper-relay")["pid"], signal.SIGKILL)

    until(lambda: up.child("sleeper-relay")["restarts"] > restarts)
    assert not up.child("valkey")["alive"]

    control.server_start(up.state, "valkey")
    until(lambda: up.child("valkey")["alive"], 2)


def test_a_second_stack_on_the_folder_is_refused(up: Up, start: Callable[..., Up]):
    second = start(up.state.folder.parent)

    words, _ = second.launcher.communicate(timeout=10)
    assert words == f"Error: A stack already runs on {up.state.folder}.\n"
    assert second.launcher.returncode == 1
    assert up.child("valkey")["alive"]


def test_a_port_of_somebody_else_is_refused(start: Callable[..., Up]):
    with socket.create_server(("127.0.0.1", 0)) as other:
        refused = start(port=other.getsockname()[1])
        words, _ = refused.launcher.communicate(timeout=20)

    assert "is taken by another program" in words
    assert refused.launcher.returncode == 1
    assert refused.pids() == []


def test_ctrl_c_ends_everything_and_the_data_stay(start: Callable[..., Up]):
    first = start().wait_until_ready()
    first.query("TRACKER_DATABASE_URL", "CREATE TABLE ended AS SELECT 3 AS number")

    assert first.end() == 0
    assert first.pids() == []
    down = status(first.state)
    assert not any(c["alive"] for c in down["processes"] + down["servers"])
    assert down["databases"]["tracker"]["lag_s"] is None

    again = start().wait_until_ready()
    assert again.query("TRACKER_DATABASE_URL", "SELECT number FROM ended") == 3


def test_a_killed_launcher_leaves_no_orphans_and_good_data(start: Callable[..., Up]):
    first = start().wait_until_ready()
    first.query("TRACKER_DATABASE_URL", "CREATE TABLE kept AS SELECT 3 AS number")

    first.launcher.kill()
    again = start().wait_until_ready()

    assert again.query("TRACKER_DATABASE_URL", "SELECT number FROM kept") == 3
    assert len(family(again.state)["sleeper-work"]) == 2
    again.launcher.kill()
    until(lambda: again.pids() == [])


def test_a_killed_supervisor_takes_everything_along(start: Callable[..., Up]):
    stack = start().wait_until_ready()
    children = subprocess.check_output(["pgrep", "-P", str(stack.launcher.pid)])

    os.kill(int(children), signal.SIGKILL)

    words, _ = stack.launcher.communicate(timeout=20)
    assert "The supervisor was killed" in words
    assert stack.pids() == []


def test_what_both_left_behind_is_ended_by_the_next_start(start: Callable[..., Up]):
    first = start().wait_until_ready()
    left = set(first.pids())
    supervisor = subprocess.check_output(["pgrep", "-P", str(first.launcher.pid)])
    first.launcher.kill()
    os.kill(int(supervisor), signal.SIGKILL)

    again = start().wait_until_ready()

    assert not left & set(again.pids())
    assert len(family(again.state)["sleeper-relay"]) == 1
