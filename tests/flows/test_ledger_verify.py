"""`exchange ledger verify` compares the ledger with what the tracker says and analytics shows."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from accounting import actions, audit, payouts
from accounting.models import primary as accounting
from bench.stack import free_port
from common import clock, stream
from common.cli import main
from common.config import Config
from common.service import services
from tests.conftest import Cast, Client
from tracker.models import primary as tracker


def verify(*more: str) -> Result:
    return CliRunner().invoke(main, ["ledger", "verify", *more])


@pytest.fixture
def company(
    cast: Cast, client: Callable[..., Client], pump: Callable[[], int], replayed: Callable[[], None]
) -> dict[str, str]:
    """`{what happened: task_id}`: one done, one withdrawn, two open; a paid day before all that."""
    ann = client("tracker", cast.ann)
    tasks = {
        name: ann.post("/tasks", {"title": name, "description": ""}).json
        for name in ("done", "withdrawn", "open", "other")
    }
    people = {str(who.id): client("tracker", who) for who in cast.dealt_to}
    people[tasks["done"]["assignee"]["id"]].post(f"/tasks/{tasks['done']['id']}/completion")
    ann.post(f"/tasks/{tasks['withdrawn']['id']}/withdrawal")
    pump()
    day = accounting.value("SELECT day FROM business_day WHERE state = 'open'")
    actions.close_day(day, by=None, now=clock.now())
    payouts.pay_all(now=clock.now())
    pump()
    replayed()
    return {name: task["id"] for name, task in tasks.items()}


def test_a_company_at_rest_agrees(company: dict[str, str]) -> None:
    result = verify()

    assert result.output.startswith("Balances, totals, deals and reports agree with the ")
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("database", "harm", "named"),
    [
        (tracker, "DELETE FROM outcome WHERE task_id = %(done)s", "task {done}: paid to worker"),
        (
            tracker,
            "UPDATE outcome SET status = 'done' WHERE task_id = %(withdrawn)s",
            "task {withdrawn} is done: it was not paid",
        ),
        (
            tracker,
            "UPDATE outcome SET status = 'withdrawn' WHERE task_id = %(done)s",
            "task {done} is withdrawn: its fee was not reversed",
        ),
        (
            tracker,
            "UPDATE deal SET assignee_id = new_id() WHERE task_id = %(open)s",
            "task {open} is open: its last deal was not charged",
        ),
        (tracker, "UPDATE run SET dealt = 0 WHERE kind = 'addition'", "1 fees, 0 deals"),
        (tracker, "UPDATE run SET total = 2, done = 2, dealt = 2", "2 deals, 1 fees"),
        (
            tracker,
            "UPDATE price SET fee_cents = 1 WHERE task_id = %(open)s",
            "task {open}: fee ",
        ),
        (
            accounting,
            "UPDATE price SET reward_cents = 1 WHERE task_id = %(done)s",
            "task {done} is done: not at its price",
        ),
        (
            accounting,
            "UPDATE account SET carried_cents = 77 WHERE name LIKE 'worker:%%'",
            "balance shown 77",
        ),
        (accounting, "UPDATE payout_run SET paid_cents = 1", "shown ("),
    ],
)
def test_what_does_not_agree_is_named(
    company: dict[str, str], replayed: Callable[[], None], database: Any, harm: str, named: str
) -> None:
    database.execute_sql(harm, company)
    replayed()

    result = verify()

    assert named.format(**company) in result.output
    assert result.exit_code == 1
    assert "The ledger does not agree in " in result.output


def test_what_is_on_its_way_is_counted_apart(
    company: dict[str, str], cast: Cast, client: Callable[..., Client], pump: Callable[[], int]
) -> None:
    client("tracker", cast.ann).post("/tasks", {"title": "Just added", "description": ""})

    at_once = verify()
    pump()
    heard = verify("--wait", "5")

    assert at_once.exit_code == 0
    assert "Not counted: 2 facts that may still be on their way." in at_once.output
    assert "on their way" not in heard.output
    assert heard.exit_code == 0


def test_a_fact_that_was_lost_is_no_fact_on_its_way(
    company: dict[str, str], cast: Cast, client: Callable[..., Client], settings: Config
) -> None:
    made = client("tracker", cast.ann).post("/tasks", {"title": "Lost", "description": ""}).json
    next(one for one in services() if one.name == "tracker").relay(settings).drain()
    with stream.connect(settings.bus_url) as bus:
        bus.xgroup_setid("events:tracker", "accounting", "$")

    result = verify()

    assert f"task {made['id']} is open: its last deal was not charged" in result.output
    assert result.exit_code == 1


def test_a_promoted_standby_that_is_left_alone_is_enough(
    company: dict[str, str], settings: Config
) -> None:
    promoted = dict(settings.env)
    for name in ("ANALYTICS_TRACKER_URL", "ANALYTICS_ACCOUNTING_URL"):
        url = urlsplit(settings.need(name))
        who, _, hosts = url.netloc.rpartition("@")
        taking_writes = hosts.partition(",")[2]
        alone = f"{who}@{taking_writes},127.0.0.1:{free_port()}"
        promoted[name] = url._replace(netloc=alone).geturl()

    assert list(audit.Audit(Config(promoted), 0).differences()) == []
