"""Two real PostgreSQL servers: one takes writes, the other follows it.

Their names are those of their data folders and stay; which of them is the primary is written in the
state folder, and the other is never started without `standby.signal`.
"""

import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection

from common.db import deadline
from common.stack.pgtools import fresh_folder, give, init_sql, program, run
from common.stack.state import StackError, State, replace

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "wal_level": "replica",
    "wal_log_hints": "on",
    "hot_standby": "on",
    "hot_standby_feedback": "on",
    "max_slot_wal_keep_size": "2GB",
    "wal_receiver_status_interval": "1s",
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "10s",
    "wal_retrieve_retry_interval": "500ms",
    "idle_in_transaction_session_timeout": "60s",
    "synchronous_commit": "on",
    # What pages ask is short: a plan for several processes takes longer to begin than to do.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}
HBA = """\
host all all 127.0.0.1/32 scram-sha-256
host replication postgres 127.0.0.1/32 scram-sha-256
"""
SLOT = "standby"


@dataclass(frozen=True)
class Postgres:
    """One of the two servers.  `fast`: a power cut may cost its data."""

    state: State
    name: str
    fast: bool = False

    @property
    def folder(self) -> Path:
        return self.state.folder / self.name

    @property
    def is_primary(self) -> bool:
        return self.state.primary == self.name

    @property
    def is_fenced(self) -> bool:
        """Starting it would make a second writer."""
        return not self.is_primary and not (self.folder / "standby.signal").exists()

    def command(self) -> list[str]:
        """What runs it in the role it has now.  Raises StackError if it is fenced."""
        if self.is_fenced:
            raise StackError(f"{self.name} was the primary once and does not follow the new one.")
        self.configure()
        return program(self.folder, "postgres", "-D", str(self.folder))

    def configure(self) -> None:
        """Its settings are written down, with whom it follows."""
        settings = SETTINGS | {"port": str(self.state.port(self.name)), "cluster_name": self.name}
        buffers = os.environ.get("EXCHANGE_PG_SHARED_BUFFERS")
        if buffers and self.is_primary:
            settings["shared_buffers"] = buffers
        if self.fast:
            settings["fsync"] = "off"
        if not self.is_primary:
            settings["primary_slot_name"] = SLOT
            settings["primary_conninfo"] = f"{self.source} password={self.password}"
        path = self.folder / "exchange.conf"
        replace(path, "".join(f"{key} = '{value}'\n" for key, value in settings.items()))
        give(path, self.folder)

    @property
    def password(self) -> str:
        return self.state.password("postgres")

    @property
    def source(self) -> str:
        """How to reach the primary."""
        port = self.state.port(self.state.primary)
        return f"host=127.0.0.1 port={port} user=postgres dbname=postgres"

    def connect(self, database: str = "postgres") -> connection:
        """A connection of the superuser.  Raises psycopg2.OperationalError if it takes none."""
        port = self.state.port(self.name)
        dsn = f"host=127.0.0.1 port={port} user=postgres dbname={database}"
        made = psycopg2.connect(dsn, password=self.password)
        made.autocommit = True
        return made

    def answers(self) -> bool:
        """It takes connections."""
        try:
            with deadline(2):
                self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def prepare(self) -> None:
        """It has data fit for its role.  A standby may need its primary up for that."""
        if self.is_primary:
            self.create()
        elif not self.folder.exists() or self.is_left_behind():
            self.copy()
        elif self.is_fenced:
            self.rewind()

    def create(self) -> None:
        """There is a cluster with the services' databases: all of it or none of it."""
        if self.folder.exists():
            return
        data = fresh_folder(self.folder)
        # Before PostgreSQL 17 it is the system that knows this locale.
        builtin = () if os.environ.get("EXCHANGE_PG_BIN") else ("--locale-provider=builtin",)
        locale = (*builtin, "--locale=C.UTF-8", "--encoding=UTF8")
        login = ("-U", "postgres", "-A", "trust")
        run(data, "initdb", "-D", str(data), *login, *locale, "--no-sync")
        (data / "pg_hba.conf").write_text(HBA)
        with open(data / "postgresql.conf", "a") as file:
            file.write("include_if_exists 'exchange.conf'\n")
        single = ("--single", "-F", "-c", "exit_on_error=true", "-D", str(data), "template1")
        run(data, "postgres", *single, text=init_sql(self.state.read()["STACK_SECRET"]))
        if not self.fast:
            run(data, "initdb", "-D", str(data), "--sync-only")
        data.rename(self.folder)

    def is_left_behind(self) -> bool:
        """The primary has dropped log it has not read: it was away for more than the slot keeps."""
        lost = "SELECT FROM pg_replication_slots WHERE slot_name = %s AND wal_status = 'lost'"
        primary = Postgres(self.state, self.state.primary)
        try:
            with deadline(2), closing(primary.connect()) as db, db.cursor() as sql:
                sql.execute(lost, (SLOT,))
                return sql.fetchone() is not None
        except psycopg2.OperationalError:
            return False

    def copy(self) -> None:
        """It is a copy of the primary that follows it, whatever it was before."""
        Postgres(self.state, self.state.primary).lead()
        data = fresh_folder(self.folder)
        backup = ["-D", str(data), "-d", self.source, "-X", "stream", "-S", SLOT]
        backup += ["--checkpoint=fast", *(["--no-sync"] if self.fast else [])]
        run(data, "pg_basebackup", *backup, password=self.password)
        self.follow(data)
        shutil.rmtree(self.folder, ignore_errors=True)
        data.rename(self.folder)

    def rewind(self) -> None:
        """It was a primary and follows the new one; what only it had is gone.

        Raises StackError if its data have gone too far from the new primary's.
        """
        self.configure()
        rewind = ("-D", str(self.folder), "--source-server", self.source)
        run(self.folder, "pg_rewind", *rewind, password=self.password)
        # Its own standby's slot would keep log for ever.
        shutil.rmtree(self.folder / "pg_replslot" / SLOT, ignore_errors=True)
        self.follow(self.folder)

    def follow(self, folder: Path) -> None:
        """The data in `folder` are a standby's."""
        (folder / "standby.signal").touch(0o600)
        give(folder / "standby.signal", folder)

    def lead(self) -> None:
        """It takes writes, and keeps the log its standby has not read yet."""
        with deadline(90), closing(self.connect()) as db, db.cursor() as sql:
            sql.execute("SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(true, 60) END")
            if (promoted := sql.fetchone()) == (False,):
                raise StackError(f"{self.name} was promoted but takes no writes yet.")
            if promoted == (True,):
                sql.execute("CHECKPOINT")  # pg_rewind asks the control file which history is its
            sql.execute(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE wal_status = 'lost'"
            )
            sql.execute(
                "SELECT pg_create_physical_replication_slot(%s, true)"
                " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = %s)",
                (SLOT, SLOT),
            )
