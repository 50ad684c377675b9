import os
import pwd
import signal
import smtplib
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from common import stream
from common.stack import unroot
from common.stack.child import family
from common.stack.servers import Servers
from common.stack.state import StackError, State, load_env
from common.stack.status import status
from tests.stack.conftest import until


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory):
    with_servers = Servers(tmp_path_factory.mktemp("servers"), fast=True)
    with_servers.start()
    yield with_servers
    with_servers.stop()


def query(url: str, sql: str):
    db = psycopg2.connect(url)
    db.autocommit = True
    with db.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall() if cursor.description else None
    db.close()
    return rows


def test_a_second_start_finds_the_same_data_and_secrets(tmp_path: Path):
    with Servers(tmp_path, fast=True) as env:
        before = env
        query(env["TRACKER_DATABASE_URL"], "CREATE TABLE kept AS SELECT 42 AS answer")
        redis.from_url(env["BUS_URL"]).set("kept", "42")

    with Servers(tmp_path, fast=True) as env:
        assert env == before
        assert query(env["TRACKER_DATABASE_URL"], "SELECT answer FROM kept") == [(42,)]
        assert redis.from_url(env["BUS_URL"]).get("kept") == b"42"

    assert family(State(tmp_path)) == {}


def test_two_stacks_side_by_side_share_nothing(servers: Servers, tmp_path: Path):
    with Servers(tmp_path, fast=True) as env:
        ours = {child["port"] for child in status(servers.state)["servers"]}
        theirs = {child["port"] for child in status(tmp_path)["servers"]}

        assert len(ours | theirs) == 8
        assert env["EXCHANGE_SECRET_KEY"] != load_env(servers.state)["EXCHANGE_SECRET_KEY"]


@pytest.mark.parametrize("name", ["inbox", "logs", "valkey"])
def test_other_users_of_the_machine_see_no_letters_and_no_names(servers: Servers, name: str):
    assert (servers.state.folder / name).stat().st_mode & 0o077 == 0


def test_a_folder_in_use_is_refused(servers: Servers):
    with pytest.raises(StackError, match="already runs"):
        Servers(servers.state).start()


def test_what_is_written_arrives_at_the_standby(servers: Servers):
    query(servers.env["MAILER_DATABASE_URL"], "CREATE TABLE arrived AS SELECT 1")

    until(lambda: query(servers.env["MAILER_REPLICA_URL"], "TABLE arrived") == [(1,)])
    assert query(servers.env["MAILER_REPLICA_URL"], "SELECT pg_is_in_recovery()") == [(True,)]


def test_a_service_enters_its_own_database_only(servers: Servers):
    url = servers.env["TRACKER_DATABASE_URL"]

    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(url.replace("/tracker?", "/accounting?"))
    assert query(url, "SELECT word_similarity('lot', 'a lot')") == [(1.0,)]


def test_analytics_may_connect_and_nothing_else(servers: Servers):
    query(servers.env["TRACKER_DATABASE_URL"], "CREATE TABLE secret AS SELECT 1")
    until(lambda: query(servers.env["TRACKER_REPLICA_URL"], "TABLE secret") == [(1,)])

    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(servers.env["ANALYTICS_TRACKER_URL"], "TABLE public.secret")


def test_the_inbox_keeps_mails_in_order_and_survives_nonsense(servers: Servers):
    host, port = servers.env["MAIL_SERVER"], int(servers.env["MAIL_PORT"])
    with smtplib.SMTP(host, port) as client:
        for number in range(3):
            client.sendmail("a@example.com", ["b@example.com"], f"Subject: {number}\n\nHello")
        client.sock.sendall(b"\xff\xfe\r\n" * 100)
        client.close()

    mails = sorted(Path(status(servers.state)["inbox"]).glob("*.eml"))
    assert [mail.read_text().splitlines()[0] for mail in mails] == [
        f"Subject: {number}" for number in range(3)
    ]
    with smtplib.SMTP(host, port) as client:
        assert client.noop()[0] == 250


def test_the_bus_gives_back_the_memory_of_what_was_acknowledged(servers: Servers):
    child = servers.children["valkey"].process
    assert child

    def memory_mb() -> float:
        return psutil.Process(child.pid).memory_info().rss / 1e6

    bus = stream.connect(servers.env["BUS_URL"])
    before = memory_mb()
    for _ in range(120):
        last = stream.publish(bus, "events:heavy", ["x" * 500] * 1000)[-1]
    assert memory_mb() > before + 50

    stream.trim(bus, "events:heavy", last)

    until(lambda: memory_mb() < before + 5)


def test_the_callers_environment_wins_but_for_addresses(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("EXCHANGE_TIMEZONE", "Asia/Tokyo")
    monkeypatch.setenv("BUS_URL", "redis://elsewhere")

    env = load_env(servers.state)

    assert env["EXCHANGE_TIMEZONE"] == "Asia/Tokyo"
    assert env["BUS_URL"] == servers.env["BUS_URL"]
    assert not [key for key in env if key.startswith("STACK_")]


def test_status_answers_while_the_standby_hangs(servers: Servers):
    standby = servers.children["postgres-standby"].process
    assert standby
    os.kill(standby.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert status(servers.state)["databases"]["tracker"]["lag_s"] is None
        assert time.monotonic() - began < 3
    finally:
        os.kill(standby.pid, signal.SIGCONT)


ORDINARY = """
import os, sys
from common.stack.servers import Servers
assert os.geteuid()
for _ in range(2):
    with Servers(sys.argv[1], fast=True):
        print("up")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_and_then_root_may_run_it(tmp_path: Path):
    user = pwd.getpwnam("daemon")
    os.chown(tmp_path, user.pw_uid, user.pw_gid)
    become = [sys.executable, unroot.__file__, str(user.pw_uid), str(user.pw_gid)]

    done = subprocess.run(
        [*become, sys.executable, "-c", ORDINARY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "up\nup\n"), done.stderr
    with Servers(tmp_path, fast=True) as env:
        assert query(env["MAILER_REPLICA_URL"], "SELECT 1") == [(1,)]
