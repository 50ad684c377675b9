"""The drill: both ways of backing up, each restored into servers of its own and verified."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from common.config import Config
from common.db import Server
from common.service import services
from common.stack.pgtools import postgres_bin
from common.stack.postgres import Postgres
from common.stack.state import OWNERS, State, free_ports
from tests.conftest import Cast, Client

EXCHANGE = str(Path(sys.executable).with_name("exchange"))
COUNTS = {
    "tracker": "SELECT count(*) FROM task",
    "accounting": "SELECT count(*) FROM transfer",
    "gateway": "SELECT count(*) FROM outbox",
    "mailer": "SELECT count(*) FROM address",
}


@pytest.fixture
def worked(cast: Cast, client: Callable[..., Client], pump: Callable[[], int]) -> dict[str, int]:
    """A company with work and money in it; how much."""
    for number in range(20):
        client("tracker", cast.bob).post("/tasks", {"title": f"Task {number}"})
    pump()
    return {name: named(name).value(sql) for name, sql in COUNTS.items()}


def named(name: str) -> Server:
    return next(service for service in services() if service.name == name).primary()


def counted(env: dict[str, str]) -> dict[str, int]:
    found = {}
    for name, sql in COUNTS.items():
        server = Server(None)
        server.open(env[f"{name.upper()}_DATABASE_URL"])
        found[name] = server.value(sql)
        server.close_quietly()
    return found


def verified(env: dict[str, str]) -> str:
    """What `exchange ledger verify` says of the restored ledger."""
    command = [EXCHANGE, "ledger", "verify"]
    done = subprocess.run(
        command, env=os.environ | env, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def elsewhere(settings: Config, port: int, suffix: str = "") -> dict[str, str]:
    """The databases' addresses at another port."""
    env = {}
    for name in OWNERS:
        url = urlsplit(settings.need(f"{name.upper()}_DATABASE_URL"))
        who = url.netloc.rpartition("@")[0]
        there = f"postgresql://{who}@127.0.0.1:{port}/{name}{suffix}"
        env |= {f"{name.upper()}_DATABASE_URL": there, f"{name.upper()}_REPLICA_URL": there}
    return env


def test_dumps_are_restored_and_the_ledger_verified(
    settings: Config, worked: dict[str, int], tmp_path: Path
) -> None:
    primary = Postgres(State.at(settings.need("EXCHANGE_STATE")), "postgres-primary")
    port = primary.state.port("postgres-primary")
    superuser = os.environ | {"PGPASSWORD": primary.password}
    where = ["-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]

    def run(program: str, *args: str) -> None:
        subprocess.run([postgres_bin() / program, *where, *args], env=superuser, check=True)

    try:
        for name in OWNERS:
            dump = str(tmp_path / f"{name}.dump")
            run("pg_dump", "--format=custom", "--file", dump, name)
            run("createdb", "--owner", name, f"{name}_restored")
            run("pg_restore", "--exit-on-error", "--dbname", f"{name}_restored", dump)
        restored = elsewhere(settings, port, "_restored")

        assert counted(restored) == worked
        assert f"the {worked['accounting']:,} transfers" in verified(restored)
    finally:
        for name in OWNERS:
            run("dropdb", "--force", "--if-exists", f"{name}_restored")


@pytest.fixture
def copied(settings: Config, worked: dict[str, int], tmp_path: Path) -> Iterator[dict[str, str]]:
    """A base backup, started as a server of its own; the addresses of its databases."""
    source = Postgres(State.at(settings.need("EXCHANGE_STATE")), "postgres-primary")
    port = free_ports({"copy": None})["copy"]
    folder = source.state.folder / "restored"
    args = ["-D", str(folder), "-d", source.source, "-X", "stream", "--checkpoint=fast"]
    run_as_owner(source, "pg_basebackup", *args, "--no-sync")
    settings_file = folder / "exchange.conf"
    settings_file.write_text(settings_file.read_text() + f"port = {port}\n")
    run_as_owner(source, "pg_ctl", "-D", str(folder), "-w", "-l", "/dev/null", "start")
    try:
        yield elsewhere(settings, port)
    finally:
        run_as_owner(source, "pg_ctl", "-D", str(folder), "-m", "immediate", "stop")
        shutil.rmtree(folder)


def run_as_owner(source: Postgres, program: str, *args: str) -> None:
    from common.stack.pgtools import program as command

    env = os.environ | {"PGPASSWORD": source.password}
    quiet = subprocess.DEVNULL
    subprocess.run(
        command(source.folder, program, *args), env=env, check=True, stdout=quiet, stderr=quiet
    )


def test_a_base_backup_is_started_and_the_ledger_verified(
    copied: dict[str, str], worked: dict[str, int]
) -> None:
    assert counted(copied) == worked
    assert f"the {worked['accounting']:,} transfers" in verified(copied)
