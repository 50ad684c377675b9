"""The end of a day: everybody paid, everybody written to."""

import smtplib
from datetime import timedelta
from uuid import uuid4

from bench import generate
from bench.figures import Figure, timed, wait_until
from bench.world import World
from common import clock
from common.db import deadline
from common.events import LinkIssued, TaskAdded, TaskCompleted, UserAdded
from common.events.base import Event
from common.outbox import Outbox

PART = 10_000
# A run each, dealt among one, so that every worker has a task and each deal follows from its seed.
DONE = """
    WITH alone AS (
        INSERT INTO roster (worker_ids, is_current)
        SELECT ARRAY[id], false FROM unnest(%s::uuid[]) AS one (id) RETURNING id, worker_ids
    ), ran AS (
        INSERT INTO run (kind, state, seed, roster_id, requested_by, requested_at, total, done,
                         dealt, started_at, finished_at)
        SELECT 'addition', 'done', sha256(uuid_send(gen_random_uuid())), id, %s, now(), 1, 1, 1,
               now(), now() FROM alone
        RETURNING id, roster_id
    ), added AS (
        INSERT INTO task (title, description, search_text, added_by, created_at, run_id)
        SELECT 'Sweep', '', E'\\nsweep', %s, now(), id FROM ran RETURNING id, run_id
    )
    INSERT INTO outcome (task_id, status, assignee_id, run_id, ended_by, ended_at)
    SELECT added.id, 'done', worker_ids[1], ran.id, worker_ids[1], now()
    FROM added JOIN ran ON ran.id = run_id JOIN alone ON alone.id = roster_id
    RETURNING task_id, assignee_id, run_id
"""
# A fee may be as high as a reward; that worker has nothing to be paid.
SPARE = 1.01
PAID = "SELECT count(*) FROM report_balances WHERE balance_cents > 0"


def measure(world: World) -> list[Figure]:
    """A day is closed in which every worker has something to be paid, then some get letters."""
    positive, closed = pay(world, 100_000 if world.is_full else 10_000)
    figure = Figure("close a day, paid and told", f"{positive:,} positive balances", closed, "s",
                    reach="≤ 15" if world.is_full else "–",
                    is_met=closed <= 15 if world.is_full else None)  # fmt: skip
    world.settle()
    # The clock has the closed books compared with themselves; letters are measured behind that.
    compared = "SELECT count(*) FROM verification"
    wait_until(lambda: world.db("accounting").value(compared) > 0, 300, 0.5)
    return [figure, *writing(world, 10_000 if world.is_full else 2_000)]


def pay(world: World, count: int) -> tuple[int, float]:
    """So many new workers completed a task each, and the day is closed; how many were paid, and how
    long that took in seconds.
    """
    there = world.db("gateway").value(f"SELECT count(*) {generate.GENERATED}", ())
    workers = int(count * SPARE)
    generate.people(world, there + workers)
    reward(world, workers)
    with deadline(60):
        positive = world.db("accounting").value(PAID)
    return positive, timed(lambda: close(world, positive))


def reward(world: World, count: int) -> None:
    """Each of the workers generated last was dealt a task of their own and completed it; accounting
    has heard of both.
    """
    tracker, by, now = world.db("tracker"), generate.manager(world), clock.now()
    said = Outbox(tracker, "tracker")
    workers = [str(each) for each in generate.newest_people(world, count)]
    for start in range(0, count, PART):
        facts: list[Event] = []
        with tracker.atomic():
            for row in tracker.rows(DONE, workers[start : start + PART], by, by):
                task = {"task_id": row["task_id"], "assignee_id": row["assignee_id"]}
                added = TaskAdded(**task, run_id=row["run_id"], added_by=by, title="Sweep",
                                  jira_id=None, added_at=now)  # fmt: skip
                facts += [added, TaskCompleted(**task, completed_at=now)]
            said.add_all(facts)
    world.settle()


def close(world: World, positive: int) -> None:
    """The open day is closed and paid, and every payout is on the stream."""
    accounting = world.db("accounting")
    day = accounting.value("SELECT day FROM business_day WHERE state = 'open'")
    world.fay.post("/payout-runs", {"day": str(day)})
    state = "SELECT state FROM payout_run WHERE day = %s"
    with deadline(60):
        wait_until(lambda: accounting.value(state, day) == "done", 600, 0.05)
        wait_until(lambda: world.has_said_all("accounting"), 600, 0.05)
        paid = "SELECT count(*) FROM transfer WHERE kind = 'payout' AND day = %s"
        if accounting.value(paid, day) != positive:
            raise RuntimeError("not everybody with a positive balance was paid")


def writing(world: World, count: int) -> list[Figure]:
    """The addresses of some of those paid become known, so that their letters go out; beside them
    as many equal mails straight from smtplib.
    """
    mailer = world.db("mailer")
    gateway = world.db("gateway")
    unread = "SELECT person_id FROM letter WHERE state = 'unaddressed' LIMIT %s"
    paid = [str(row["person_id"]) for row in mailer.rows(unread, count)]
    people = gateway.rows("SELECT id, email, name FROM person WHERE id = ANY(%s::uuid[])", paid)
    if len(people) < count:
        raise RuntimeError(f"only {len(people):,} of those paid are waited for by a letter")
    with gateway.atomic():
        Outbox(gateway, "gateway").add_all(
            UserAdded(user_id=row["id"], email=row["email"], name=row["name"], role="worker",
                      is_active=True, user_version=2)
            for row in people
        )  # fmt: skip
    due = "SELECT count(*) FROM letter WHERE state IN ('queued', 'sending')"
    sent = "SELECT count(*) FROM letter WHERE state = 'sent'"
    before = mailer.value(sent)
    wait_until(lambda: mailer.value(due) > 0 or mailer.value(sent) > before)
    began = clock.now()
    with deadline(60):
        wait_until(lambda: mailer.value(sent) - before >= count, 600, 0.1)
    took = (clock.now() - began) / timedelta(seconds=1)
    rate = count / took
    size = f"{count:,} letters"
    raw = raw_mails(world, min(count, 2000))
    return [Figure("mail, one mailer", size, rate, "letters/s", raw, "raw SMTP", "≥ 200",
                   rate >= 200)]  # fmt: skip


def waiting(world: World, count: int) -> None:
    """As many of the people generated last are written to; their letters wait for an address."""
    gateway, until = world.db("gateway"), clock.now() + timedelta(days=1)
    with gateway.atomic():
        Outbox(gateway, "gateway").add_all(
            LinkIssued(link_id=uuid4(), user_id=each, purpose="invitation", expires_at=until)
            for each in generate.newest_people(world, count)
        )


def raw_mails(world: World, count: int) -> float:
    """Mails a second from smtplib on one connection to the same server, made beforehand."""
    newest = max((world.stack.folder / "inbox").glob("*.eml"))
    mail = newest.read_bytes()
    server = smtplib.SMTP(world.settings.need("MAIL_SERVER"),
                          world.settings.integer("MAIL_PORT", 25))  # fmt: skip

    def send() -> None:
        for _ in range(count):
            server.sendmail("exchange@localhost", ["raw@example.com"], mail)

    with server:
        return count / timed(send)
