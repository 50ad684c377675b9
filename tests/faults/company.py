"""Many people and much work at once in a running stack, and days that pass in a moment."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import redis
from rq import Queue

from bench.stack import Stack
from common import clock
from common.db import Server, deadline
from common.events import TaskCompleted, UserAdded, UserChanged
from common.outbox import Outbox
from tests.faults.history import Truth

STATE = "id AS user_id, email, name, role, is_active, version AS user_version"
HIRE = f"""
    INSERT INTO person (email, name, role, created_at)
    SELECT 'worker' || n || '@example.com', 'Worker ' || n, 'worker', now()
    FROM generate_series(1, %s) AS n
    ON CONFLICT (lower(email)) DO UPDATE SET is_active = true, version = person.version + 1
    RETURNING {STATE}
"""
DISMISS = f"""
    UPDATE person SET is_active = false, version = version + 1
    WHERE email LIKE 'worker%%@example.com' AND is_active RETURNING {STATE}
"""
KNOWN = "SELECT count(*) FROM person WHERE is_active AND name LIKE 'Worker %%'"

FINISH = """
    WITH ended AS (
        DELETE FROM deal USING task
        WHERE task.id = task_id AND starts_with(title, %s)
        RETURNING task_id, assignee_id, deal.run_id
    )
    INSERT INTO outcome (task_id, status, assignee_id, run_id, ended_by, ended_at)
    SELECT task_id, 'done', assignee_id, run_id, assignee_id, now() FROM ended
    RETURNING task_id, assignee_id, ended_at AS completed_at
"""

MOVE = """
    WITH moved AS (
        SELECT day, day + %s AS other FROM business_day WHERE (state = 'open') = %s
    ), days AS (
        UPDATE business_day SET day = other FROM moved WHERE moved.day = business_day.day
    ), totals AS (
        UPDATE total SET day = other FROM moved WHERE moved.day = total.day
    ), runs AS (
        UPDATE payout_run SET day = other FROM moved WHERE moved.day = payout_run.day
    )
    UPDATE transfer SET day = other FROM moved WHERE moved.day = transfer.day
"""
FAR = 100_000
UNLOCK = (
    "SELECT set_config('lock_timeout', '30s', true)",
    "SELECT pg_advisory_xact_lock(hashtext('books'))",
    "ALTER TABLE transfer DISABLE TRIGGER USER",
    "GRANT UPDATE ON transfer TO CURRENT_USER",
)
LOCK = (
    "REVOKE UPDATE ON transfer FROM CURRENT_USER",
    "ALTER TABLE transfer ENABLE TRIGGER USER",
)


@contextmanager
def staff(truth: Truth, count: int, eventually: Callable[..., Any]) -> Iterator[None]:
    """So many more workers, known to everybody, for the length of the block."""
    change(truth, HIRE, UserAdded, count)
    eventually(lambda: truth.tracker.value(KNOWN) == count and truth.is_quiet(), 60)
    try:
        yield
    finally:
        change(truth, DISMISS, UserChanged)
        eventually(lambda: truth.tracker.value(KNOWN) == 0 and truth.is_quiet(), 60)


def change(truth: Truth, sql: str, event: Any, *values: Any) -> None:
    gateway = truth.servers["gateway"]
    with deadline(60), gateway.atomic():
        people = gateway.rows(sql, *values)
        Outbox(gateway, "gateway").add_all(event(**person) for person in people)


def add_tasks(stack: Stack, title: str, count: int) -> None:
    path = stack.folder / "many.csv"
    path.write_text("title\n" + "".join(f"{title} {n}\n" for n in range(count)))
    stack.run("import", str(path))


def finish_tasks(truth: Truth, title: str) -> int:
    """All open tasks whose title begins so are done by whoever had them; how many."""
    with deadline(60), truth.tracker.atomic():
        done = truth.tracker.rows(FINISH, title)
        outbox = Outbox(truth.tracker, "tracker")
        outbox.add_all(TaskCompleted(**fact) for fact in done)
    return len(done)


def pass_days(accounting: Server, count: int) -> None:
    """The books are as if the day now open had been opened `count` days before today, and those
    closed long before.
    """
    with deadline(60), accounting.atomic():
        for sql in UNLOCK:
            accounting.execute_sql(sql)
        opened = accounting.value("SELECT day FROM business_day WHERE state = 'open'")
        back = (clock.now().date() - opened).days - count
        # By way of the far future, so that no day meets another one.
        for days, is_open in ((FAR, False), (-FAR - 1000, False), (back, True)):
            accounting.run(MOVE, days, is_open)
        for sql in LOCK:
            accounting.execute_sql(sql)


def wake(stack: Stack, service: str) -> None:
    """The service's worker is called, as by its tick."""
    with redis.Redis.from_url(stack.status()["queue"]) as queue:
        Queue(service, connection=queue).enqueue_call(f"{service}.jobs.tick", timeout=3600)


class Hold:
    """A row that nobody else can change before it is let go."""

    def __init__(self, server: Server, sql: str, *values: Any) -> None:
        self.outside = server
        self.db = Server(None)
        self.db.open(server.database)
        self.db.execute_sql("SET idle_in_transaction_session_timeout = 0")
        self.pid = self.db.value("SELECT pg_backend_pid()")
        self.db.begin()
        assert self.db.rows(f"{sql} FOR NO KEY UPDATE", *values)

    def waiting(self) -> list[int]:
        """The backends that have come as far as this row."""
        return waiting(self.outside, self.pid)

    def let_go(self) -> None:
        self.db.close_quietly()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()


def waiting(server: Server, pid: int) -> list[int]:
    """The backends that wait for a lock of that one."""
    # Asked in no transaction: in one, the list of backends stays as it was first seen.
    sql = "SELECT pid FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    return [row["pid"] for row in server.rows(sql, pid)]
