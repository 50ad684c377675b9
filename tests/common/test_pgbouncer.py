"""Everything but migrating works through PgBouncer, which lends a connection for a transaction."""

import getpass
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.stack import free_port
from common.config import Config
from common.db import Server
from common.store import look
from tests.common.watched import listens, until
from tests.common.wire import Wire, eventually, fact, running

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
REQUIRED = os.environ.get("EXCHANGE_REQUIRE_PGBOUNCER")
pytestmark = pytest.mark.skipif(
    not (PROGRAM or REQUIRED), reason="PGBOUNCER IS NOT INSTALLED: apt-get install pgbouncer"
)


@pytest.fixture
def pooled(settings: Config, tmp_path: Path) -> Iterator[Config]:
    """The tracker's primary is reached through a pool of three connections."""
    url = urlsplit(settings.need("TRACKER_DATABASE_URL"))
    where = url.netloc.rpartition("@")[2].split(",")[0]
    host, _, server_port = where.partition(":")
    port = free_port()
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    (folder / "users").write_text(f'"tracker" "{url.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\ntracker = host={host} port={server_port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users\n"
        "pool_mode = transaction\ndefault_pool_size = 3\n"
        "ignore_startup_parameters = options,extra_float_digits\n"
    )
    command = [str(PROGRAM), str(folder / "pgbouncer.ini")]
    if getpass.getuser() == "root":
        for path in (*tmp_path.parents[:2], tmp_path, folder, *folder.iterdir()):
            path.chmod(0o755)
        command += ["-u", "nobody"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port))
        through = f"postgresql://tracker:{url.password}@127.0.0.1:{port}/tracker"
        yield Config({**settings.env, "TRACKER_DATABASE_URL": through})
    finally:
        process.terminate()
        process.wait(10)


def test_facts_pass_by_threads_that_share_a_few_connections(
    pooled: Config, wire: Wire, settings: Config
) -> None:
    there = Wire(settings)
    there.primary = Server(None)
    there.primary.open(pooled.database_url("tracker"))
    there.outbox.primary = there.relay.primary = there.primary

    def say(start: int) -> None:
        for number in range(start, start + 20):
            there.say(fact(number))
        there.primary.close_quietly()

    threads = [threading.Thread(target=say, args=(n * 20,)) for n in range(8)]
    with running(there.relay, there.make_consumer(settings, there.keep)):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        eventually(lambda: len(there.heard()) >= 160, 30)

    assert there.heard() == list(range(160))


def test_reading_streams_and_looks_at_age(pooled: Config, wire: Wire) -> None:
    server = Server(None)
    server.open(pooled.database_url("tracker"))

    numbers = [row["n"] for row in server.stream("SELECT generate_series(1, 5000) AS n", size=100)]

    assert numbers == list(range(1, 5001))
    assert look(server)[0].lag_s == 0
    assert server.value("SHOW timezone") == "UTC"
    assert server.value("SHOW lock_timeout") == "4s"
    server.close_quietly()
