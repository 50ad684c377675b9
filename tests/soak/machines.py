"""What happens to processes, servers and clocks.  A fault says in a line what it does; the end of
its block mends it.
"""

import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import psutil

from common.stack.state import SERVERS
from tests.faults import faults
from tests.soak.breaker import Block, Breaker, resume, waited_for

PROCESSES = [
    "gateway-web", "gateway-relay", "tracker-web", "tracker-relay", "tracker-consume",
    "tracker-work", "accounting-web", "accounting-relay", "accounting-consume", "accounting-work",
    "analytics-web", "mailer-web", "mailer-relay", "mailer-consume", "schedule",
]  # fmt: skip
WEBS = [name for name in PROCESSES if name.endswith("-web")]


@contextmanager
def kill(at: Breaker) -> Block:
    name = at.chance.choice([*PROCESSES, *(f"{web}/worker" for web in WEBS)])
    faults.killed(at.stack, name)
    yield f"{name} killed"


@contextmanager
def kill_server(at: Breaker) -> Block:
    name = at.chance.choice(SERVERS)
    faults.killed(at.stack, name)
    yield f"{name} killed"


@contextmanager
def freeze(at: Breaker) -> Block:
    name, seconds = at.chance.choice(PROCESSES), at.seconds(18)
    with faults.frozen(at.stack, name):
        yield f"{name} frozen for {seconds} s"
        time.sleep(seconds)


@contextmanager
def freeze_server(at: Breaker) -> Block:
    name, seconds = at.chance.choice(SERVERS), at.seconds(12)
    with faults.frozen(at.stack, name):
        yield f"{name} frozen for {seconds} s"
        time.sleep(seconds)


@contextmanager
def stop_server(at: Breaker) -> Block:
    name, seconds = at.chance.choice(SERVERS), at.seconds(12)
    with faults.stopped(at.stack, name):
        yield f"{name} stopped for {seconds} s"
        time.sleep(seconds)


@contextmanager
def pause_replay(at: Breaker) -> Block:
    seconds = at.seconds(15)
    with faults.replay_paused(at.stack):
        yield f"replay paused for {seconds} s"
        time.sleep(seconds)


@contextmanager
def cut_connections(at: Breaker) -> Block:
    name = faults.primary(at.stack)
    sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity" \
          " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"  # fmt: skip
    for _ in range(times := at.chance.randint(1, 20)):
        count = faults.tell(at.stack, name, sql)
        time.sleep(at.chance.random() / 5)
    yield f"all connections to {name} cut {times} times, at last {count}"


@contextmanager
def another_process(at: Breaker) -> Block:
    command = at.chance.choice(
        ["schedule", "accounting work", "tracker work", "accounting consume", "tracker relay",
         "mailer consume", "accounting relay"]
    )  # fmt: skip
    seconds = at.seconds(20)
    with faults.another(at.stack, command) as process:
        yield f"a second {command} for {seconds} s, then killed"
        time.sleep(seconds)
        process.kill()


@contextmanager
def orphan(at: Breaker) -> Block:
    """A job process lives on without its parent, beside the one that takes its place."""
    name = at.chance.choice(["tracker-work", "accounting-work"])
    seconds = at.seconds(8)
    supervisor = psutil.Process(at.stack.process.pid).children()[0]
    worker = faults.process(at.stack, name)
    job = next(iter(waited_for(worker.children, 8, 0.003)), None)
    with ExitStack() as awake:
        if job is None:
            yield f"no job of {name} to orphan"
            return
        for process in (supervisor, job):
            faults.suspend(process)
            awake.callback(resume, process)
        worker.kill()
        yield f"a job of {name} orphaned, asleep for {seconds} s"
        with faults.another(at.stack, name.replace("-", " ")):
            time.sleep(seconds)
            resume(job)
            time.sleep(1)


@contextmanager
def promote(at: Breaker) -> Block:
    """In an orderly way: what only the old primary has is gone."""
    if at.missing() or at.stack.status()["databases"]["tracker"]["lag_s"] != 0.0:
        yield "nothing promoted, for not all is well"
        return
    name = faults.standby(at.stack)
    faults.promote_standby(at.stack)
    yield f"{name} promoted"


@contextmanager
def pass_days(at: Breaker) -> Block:
    days = at.chance.choice([1, 1, 1, 3])
    at.stack.put_forward(timedelta(days=days))
    yield f"{days} days pass"
