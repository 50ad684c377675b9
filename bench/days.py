"""The end of a day: everybody paid, everybody written to."""

import smtplib
from datetime import timedelta
from uuid import uuid4

from bench import generate
from bench.figures import Figure, timed, wait_until
from bench.world import World
from common import clock
from common.db import deadline
from common.events import TaskCompleted, UserAdded
from common.outbox import Outbox

PART = 10_000
PAID = "SELECT count(*) FROM report_balances WHERE balance_cents > 0"


def measure(world: World) -> list[Figure]:
    """A day is closed in which every worker has something to be paid, then some get letters."""
    count = 100_000 if world.is_full else 10_000
    there = world.db("gateway").value(f"SELECT count(*) {generate.GENERATED}", ())
    generate.people(world, there + count)
    reward(world, count)
    with deadline(60):
        positive = world.db("accounting").value(PAID)
    closed = timed(lambda: close(world, positive))
    figure = Figure("close a day, paid and told", f"{positive:,} positive balances", closed, "s",
                    reach="≤ 15" if world.is_full else "–",
                    is_met=closed <= 15 if world.is_full else None)  # fmt: skip
    world.settle()
    return [figure, *writing(world, 10_000 if world.is_full else 2_000)]


def reward(world: World, count: int) -> None:
    """Each of the workers generated last has completed a task and was paid for it."""
    tracker = world.db("tracker")
    said = Outbox(tracker, "tracker")
    workers = generate.newest_people(world, count)
    now = clock.now()
    for start in range(0, count, PART):
        with tracker.atomic():
            said.add_all(
                TaskCompleted(task_id=uuid4(), assignee_id=worker, completed_at=now)
                for worker in workers[start : start + PART]
            )
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
    people = gateway.rows(f"SELECT id, email, name {generate.GENERATED} ORDER BY id DESC LIMIT %s",
                          count)  # fmt: skip
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
