"""What `exchange up` is while the stack runs: the end of a pipe, to be let go.

python -m common.stack.launcher PLAN
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NoReturn

from common.stack.child import end_all
from common.stack.state import StackError, State

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Plan:
    """What to run: the servers, then `prepare`, the very first time `first`, then a Procfile.

    `parent` is a process above the launcher, a `make` for one, whose death ends everything, too.
    """

    state: str
    procfile: str
    port: int | None = None
    prepare: Sequence[str] = ("exchange migrate",)
    first: Sequence[str] = ("exchange demo",)
    parent: int | None = None
    fast: bool = False


def become_launcher(plan: Plan) -> NoReturn:
    """This process is the launcher of `plan`, without all that a command line has imported."""
    argv = [sys.executable, "-m", "common.stack.launcher", json.dumps(asdict(plan))]
    os.execv(sys.executable, argv)


def launch(plan: Plan) -> int:
    """The stack of `plan` ran until somebody ended it; the supervisor's exit code."""
    command = [sys.executable, "-m", "common.stack.supervisor", json.dumps(asdict(plan))]
    supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    pipe = supervisor.stdin
    assert pipe
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, lambda *_: pipe.close())
    code = supervisor.wait()
    if code < 0:
        end_all(State.at(plan.state))
        raise StackError("The supervisor was killed, so everything else was stopped.")
    return code


if __name__ == "__main__":
    try:
        sys.exit(launch(Plan(**json.loads(sys.argv[1]))))
    except StackError as error:
        error.show()
        sys.exit(error.exit_code)
