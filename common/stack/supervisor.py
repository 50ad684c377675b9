"""Keeps a whole stack running:  python -m common.stack.supervisor PLAN

It lives in a session of its own, its standard input a pipe from whoever launched it.  When that
ends, by whatever means, the stack goes down in order: killing the launcher leaves nothing behind.
"""

import http.client
import json
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
from honcho.environ import parse_procfile

from common.stack.child import Child, end
from common.stack.launcher import SIGNALS, Plan
from common.stack.servers import Servers
from common.stack.state import StackError, State, is_free
from common.stack.status import record
from common.stack.terminal import Terminal

TICK_S = 0.1
READY_S = 30
STEADY_S = 5  # who lives that long did not die of its start
BACKOFF_MAX_S = 5.0


class Stop(BaseException):
    """Somebody wants the stack to end."""


class Supervisor:
    """Starts what a plan names, and starts again what dies of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.state = State.at(plan.state)
        self.servers = Servers(self.state, plan.port, plan.fast)
        self.commands: dict[str, str] = parse_procfile(Path(plan.procfile).read_text()).processes
        self.children: dict[str, Child] = {}

    def run(self) -> int:
        """The stack came up, stayed up until Stop, and went down in order."""
        try:
            self.servers.start()
            self.begin()
            while True:
                self.watch()
                time.sleep(TICK_S)
        except Stop:
            return 0
        except StackError as error:
            error.show()
            return error.exit_code
        finally:
            self.servers.stop()

    def begin(self) -> None:
        """The databases are in order and every process was started."""
        quiet = os.environ.get("EXCHANGE_STACK_QUIET") == "1"
        self.terminal = Terminal(self.state, ["prepare", *self.commands], quiet)
        port = self.state.port("gateway")
        if not is_free(port):
            raise StackError(f"Port {port} is taken by another program; give another as PORT.")
        for command in self.plan.prepare:
            self.finish(command)
        filled = self.state.folder / "filled"
        if not filled.exists():
            for command in self.plan.first if self.servers.env["EXCHANGE_DEMO"] != "0" else ():
                self.finish(command)
            filled.touch()
        self.children = self.servers.children
        for name, command in self.commands.items():
            self.children[name] = self.child(name, command)
            self.children[name].start()
        record(self.state, self.children.values())
        self.ready_by: float | None = time.monotonic() + READY_S

    def child(self, name: str, command: str) -> Child:
        service, _, kind = name.partition("-")
        port = self.state.port(service) if kind == "web" else None
        # A shell for what Procfiles may say, and `exec` so that the process is the program's.
        argv = ["/bin/sh", "-c", f"exec {command}"]
        return Child(self.state, name, lambda: argv, self.servers.env, port)

    def finish(self, command: str) -> None:
        """`command` did its work.  Raises StackError with its last words."""
        child = self.child("prepare", command)
        child.start()
        while child.is_alive:
            self.terminal.show()
            time.sleep(TICK_S / 2)
        if child.process and child.process.returncode:
            raise StackError(f"`{command}` failed: {child.last_words}")

    def watch(self) -> None:
        """What died was started again, what is to be seen was shown."""
        if [child for child in self.children.values() if self.tend(child)]:
            record(self.state, self.children.values())
        self.terminal.show()
        if self.ready_by and self.is_ready():
            self.ready_by = None
            self.greet()
        elif self.ready_by and time.monotonic() > self.ready_by:
            self.ready_by = None
            self.terminal.say(f"The gateway is not ready after {READY_S} s; its log may say why.")

    def tend(self, child: Child) -> bool:
        """`child` runs if it may and its time has come; whether anything changed."""
        if child.is_alive:
            return False
        if self.state.stopped(child.name).exists():
            was_running, child.process = child.process is not None, None
            return was_running
        if child.process:
            self.bury(child, child.process.returncode)
        elif time.monotonic() < child.due_at:
            return False
        else:
            self.revive(child)
        return True

    def bury(self, child: Child, code: int) -> None:
        """All that `child` started is gone, too, and it is due again: at once, or if it keeps dying
        young, later and later."""
        end(self.state, [child.name], patience=0)
        child.process = None
        child.restarts += 1
        now = time.monotonic()
        child.hasty = child.hasty + 1 if now - child.started_at < STEADY_S else 0
        delay = min(BACKOFF_MAX_S, 2.0**child.hasty / 4) if child.hasty else 0.0
        child.due_at = now + delay
        how = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        self.terminal.say(f"{child.name} {how}; start number {child.restarts + 1} in {delay} s")

    def revive(self, child: Child) -> None:
        try:
            child.start()
        except StackError as error:
            self.state.stopped(child.name).touch()
            self.terminal.say(f"{child.name} stays down: {error}")

    def is_ready(self) -> bool:
        """The gateway says so, or the Procfile has none."""
        if "gateway-web" not in self.commands:
            return True
        gateway = http.client.HTTPConnection("127.0.0.1", self.state.port("gateway"), timeout=1)
        try:
            gateway.request("GET", "/readyz")
            return gateway.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            gateway.close()

    def greet(self) -> None:
        """Whoever started the stack knows where it is and who may sign in."""
        logins = self.state.folder / "demo-logins.txt"
        print(f"\nTask Exchange is at {self.servers.env['EXCHANGE_URL']}", flush=True)
        if logins.exists():
            print(logins.read_text(), flush=True)


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    for number in SIGNALS:
        signal.signal(number, stop)
    threading.Thread(target=follow_launcher, args=(plan.parent,), daemon=True).start()
    sys.exit(Supervisor(plan).run())


def stop(*_: object) -> None:
    """Once: what follows is the way out."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise Stop


def follow_launcher(parent: int | None) -> None:
    """The launcher is gone, or `parent` above it, and Stop is under way."""
    with suppress(psutil.NoSuchProcess):
        launcher = psutil.Process(os.getppid())
        while parent in (None, launcher.ppid()) and not select.select([0], [], [], 0.5)[0]:
            pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
