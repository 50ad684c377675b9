"""The state folder of one stack, and the environment it gives to every process.

`<state>/env` is made once, 0600, as KEY=VALUE lines which a shell can source; it may be edited.
Lines named STACK_… are for the servers only.  Addresses of servers and services are written anew at
each start, since a port that somebody else took meanwhile is replaced; passwords follow from one
secret.
"""

import hashlib
import hmac
import os
import random
import secrets
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

OWNERS = ("gateway", "tracker", "accounting", "mailer")
LISTENERS = ("tracker", "accounting", "analytics", "mailer")
# Names, addresses, and letters with links that let one in.
PRIVATE = ("inbox", "logs", "stopped", "valkey")
SERVERS = ("postgres-primary", "postgres-standby", "valkey", "smtp")

# Below the range from which systems take the ports of outgoing connections, so that a port is
# still free after a restart.
PORTS = range(20000, 32000)

# After a promotion the two have changed places, and nobody needs a new address.
ATTRS = ("read-write", "standby")

DEFAULTS = {
    "GATEWAY_HOSTS": "127.0.0.1,localhost",
    "MAIL_DEFAULT_SENDER": "exchange@localhost",
    "EXCHANGE_DEMO": "1",
    "EXCHANGE_LOG": "plain",
    "EXCHANGE_TIMEZONE": "UTC",
    "EXCHANGE_CURRENCY": "EUR",
    "EXCHANGE_FEE_RANGE": "10-20",
    "EXCHANGE_REWARD_RANGE": "20-40",
    "WEB_CONCURRENCY": "1",
    "WEB_THREADS": "8",
}


class StackError(click.ClickException):
    """Something the person at the terminal must know, in one sentence."""


@dataclass(frozen=True)
class State:
    """The folder that holds everything of one stack: data, logs, inbox and `env`."""

    folder: Path

    @classmethod
    def at(cls, folder: "State | Path | str | None" = None) -> "State":
        """The state in `folder`; None: in EXCHANGE_STATE, or `.state` of the working directory."""
        if isinstance(folder, State):
            return folder
        return cls(Path(folder or os.environ.get("EXCHANGE_STATE") or ".state").resolve())

    @property
    def env_file(self) -> Path:
        return self.folder / "env"

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def stopped(self, name: str) -> Path:
        """The file that exists while the server `name` must not be started."""
        return self.folder / "stopped" / name

    @property
    def primary(self) -> str:
        """The name of the PostgreSQL server which alone may take writes."""
        role = self.folder / "primary"
        return role.read_text().strip() if role.exists() else "postgres-primary"

    @property
    def standby(self) -> str:
        """The name of the other one."""
        return next(name for name in SERVERS[:2] if name != self.primary)

    def set_primary(self, name: str) -> None:
        """`name` is the primary, and still is after a power cut."""
        replace(self.folder / "primary", name + "\n", sync=True)

    def read(self) -> dict[str, str]:
        """Every line of `env`.  Raises StackError if the folder holds no stack."""
        if not self.env_file.exists():
            raise StackError(f"{self.folder} holds no stack yet; `make run` makes one.")
        lines = self.env_file.read_text().splitlines()
        pairs = (line.partition("=") for line in lines if "=" in line and line[0] != "#")
        return {key.strip(): value.strip() for key, _, value in pairs}

    def port(self, name: str) -> int:
        """Where the server or service `name` listens; the gateway where GATEWAY_BIND says."""
        if name == "gateway":
            return int(load_env(self)["GATEWAY_BIND"].rpartition(":")[2])
        return int(self.read()[port_key(name)])

    def password(self, role: str) -> str:
        return derive(self.read()["STACK_SECRET"], role)


def load_env(
    folder: State | Path | str | None = None, around: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of the stack in `folder`, as its processes get it.

    A value `around`, the caller's environment, wins, except an address: those are the stack's own.
    Raises StackError if there is no stack.
    """
    state = State.at(folder)
    made = {key: value for key, value in state.read().items() if not key.startswith("STACK_")}
    given = {key: around[key] for key in made if key in around and not is_address(key)}
    return made | given | {"EXCHANGE_STATE": str(state.folder)}


def make_env(state: State, port: int | None = None) -> None:
    """`env` names every setting; a `port` given is the gateway's from now on."""
    state.folder.mkdir(parents=True, exist_ok=True)
    for folder in PRIVATE:
        (state.folder / folder).mkdir(exist_ok=True)
        (state.folder / folder).chmod(0o700)
    kept = state.read() if state.env_file.exists() else {}
    fresh = {"STACK_SECRET": secrets.token_hex(32), "EXCHANGE_SECRET_KEY": secrets.token_hex(32)}
    made = fresh | DEFAULTS | gateway_address(8000) | kept
    if port:
        made |= gateway_address(port)
    ports = free_ports({name: kept.get(port_key(name)) for name in {*SERVERS, *LISTENERS}})
    made |= {port_key(name): str(number) for name, number in ports.items()}
    made |= addresses(state, made["STACK_SECRET"], ports)
    replace(state.env_file, "".join(f"{key}={made[key]}\n" for key in sorted(made)), sync=True)


def gateway_address(port: int) -> dict[str, str]:
    return {"GATEWAY_BIND": f"127.0.0.1:{port}", "EXCHANGE_URL": f"http://127.0.0.1:{port}"}


def addresses(state: State, secret: str, ports: dict[str, int]) -> dict[str, str]:
    """Where every server and service is.  Writers find whichever PostgreSQL takes writes,
    readers whichever follows it."""
    primary, standby = (f"127.0.0.1:{ports[name]}" for name in (state.primary, state.standby))
    bus = f"redis://default:{derive(secret, 'valkey')}@127.0.0.1:{ports['valkey']}"
    env = {"BUS_URL": f"{bus}/0", "QUEUE_URL": f"{bus}/1"}
    env |= {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(ports["smtp"])}
    env |= {f"{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}" for name in LISTENERS}
    reader = f"postgresql://analytics:{derive(secret, 'analytics')}"
    for name in OWNERS:
        role = f"postgresql://{name}:{derive(secret, name)}"
        writable, readable = (f"{name}?target_session_attrs={which}" for which in ATTRS)
        env[f"{name.upper()}_DATABASE_URL"] = f"{role}@{primary},{standby}/{writable}"
        env[f"{name.upper()}_REPLICA_URL"] = f"{role}@{standby},{primary}/{readable}"
        env[f"ANALYTICS_{name.upper()}_URL"] = f"{reader}@{standby},{primary}/{name}"
    return env


def is_address(key: str) -> bool:
    return key in ("MAIL_SERVER", "MAIL_PORT") or (key.endswith("_URL") and key != "EXCHANGE_URL")


def derive(secret: str, role: str) -> str:
    """The password of `role`."""
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest()[:32]


def port_key(name: str) -> str:
    return "STACK_PORT_" + name.upper().replace("-", "_")


def free_ports(kept: dict[str, str | None]) -> dict[str, int]:
    """A port for each name, all different: the kept one if nobody else listens there."""
    ports: dict[str, int] = {}
    for name, old in kept.items():
        candidates: Iterable[int] = random.sample(PORTS, 200)
        candidates = [int(old), *candidates] if old else candidates
        ports[name] = next(p for p in candidates if p not in ports.values() and is_free(p))
    return ports


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Nobody listens on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def replace(path: Path, text: str, sync: bool = False) -> None:
    """`path` holds `text`, readable by its owner only, or after a crash what it held before.

    `sync`: after a power cut, too.
    """
    partial = path.with_name(path.name + ".new")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        if sync:
            os.fsync(file.fileno())
    partial.replace(path)
