"""Every process of the Procfile, told of its servers by the environment alone."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.stack import PASSWORD, free_port
from common.config import Config
from common.stack.postgres import Postgres
from common.stack.state import LISTENERS, OWNERS, State

PROCFILE = Path(__file__).parents[1] / "procfiles" / "dev"
EXCHANGE = Path(sys.executable).with_name("exchange")


class Everything:
    """The processes, by the command `exchange` and in a folder that says nothing to them."""

    def __init__(self, env: Mapping[str, str], folder: Path, exchange: Path = EXCHANGE) -> None:
        self.env, self.folder, self.exchange = env, folder, exchange
        self.url = env["EXCHANGE_URL"]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        for line in PROCFILE.read_text().splitlines():
            name, _, command = line.partition(": exchange ")
            with (self.folder / f"{name}.log").open("w") as log:
                self.processes[name] = subprocess.Popen(
                    [self.exchange, *command.split()],
                    env=self.env,
                    cwd=self.folder,
                    stdout=log,
                    stderr=log,
                )

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def ended(self) -> list[str]:
        return [name for name, each in self.processes.items() if each.poll() is not None]

    def kill(self) -> None:
        for each in self.processes.values():
            each.kill()
            each.wait()

    def run(self, *words: str, text: str = "") -> str:
        """What `exchange …` says."""
        done = subprocess.run(
            [self.exchange, *words],
            env=self.env,
            cwd=self.folder,
            input=text,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    def add_user(self, email: str, role: str) -> None:
        name = email.partition("@")[0].title()
        how = ("--name", name, "--role", role, "--password-stdin")
        self.run("user", "add", email, *how, text=PASSWORD)

    def status(self) -> dict[str, Any]:
        """What a history is compared with, as `exchange status` has it of a stack."""
        urls = {name: {"primary": self.env[f"{name.upper()}_DATABASE_URL"]} for name in OWNERS}
        return {"bus": self.env["BUS_URL"], "databases": urls}


@contextmanager
def everything(
    settings: Config, folder: Path, exchange: Path = EXCHANGE, **more: str
) -> Iterator[Everything]:
    """They run on empty databases of their own for the length of the block."""
    name = "apart"
    primary = Postgres(State.at(settings.need("EXCHANGE_STATE")), "postgres-primary")
    with closing(primary.connect()) as db, db.cursor() as sql:
        for owner in OWNERS:
            sql.execute(f"CREATE DATABASE {owner}_{name} OWNER {owner}")
        made = Everything(environment(settings, f"_{name}") | more, folder, exchange)
        try:
            made.run("migrate")
            made.start()
            yield made
        finally:
            made.kill()
            for owner in OWNERS:
                sql.execute(f"DROP DATABASE {owner}_{name} WITH (FORCE)")


def environment(settings: Config, suffix: str) -> dict[str, str]:
    """All that they are told: of other databases on the servers of `settings`."""
    ports = {name: free_port() for name in ("gateway", *LISTENERS)}
    bind = f"127.0.0.1:{ports['gateway']}"
    told = {"GATEWAY_BIND": bind, "EXCHANGE_URL": f"http://{bind}", "GATEWAY_HOSTS": "127.0.0.1"}
    told |= {"EXCHANGE_SECRET_KEY": "of-them-alone", "WEB_CONCURRENCY": "1"}
    told |= {f"{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in LISTENERS}
    for name, value in settings.env.items():
        if value.startswith("postgresql://"):
            told[name] = urlsplit(value)._replace(path=f"{urlsplit(value).path}{suffix}").geturl()
        elif name.startswith("MAIL_"):
            told[name] = value
    for number, name in enumerate(("BUS_URL", "QUEUE_URL"), start=2):
        told[name] = urlsplit(settings.need(name))._replace(path=f"/{number}").geturl()
    return told
