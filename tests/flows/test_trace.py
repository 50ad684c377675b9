"""One click, followed through the job it started to the letters it caused."""

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from common import clock, log
from common.cli import main
from common.config import Config
from common.service import load, services
from tests.conftest import Cast, Client

REQUEST = "0af7651916cd43dd8448eb211c80319c"
TRACE = {"traceparent": f"00-{REQUEST}-b7ad6b7169203331-01"}


def test_closing_a_day_is_followed_to_the_letter(
    cast: Cast,
    client: Callable[..., Client],
    pump: Callable[[], int],
    settings: Config,
    inbox: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bob = client("tracker", cast.bob)
    for number in range(8):
        bob.post("/tasks", {"title": f"Task {number}"})
    pump()
    complete_all(cast, client)
    pump()
    day = clock.now().date().isoformat()

    client("accounting", cast.dan).post("/payout-runs", {"day": day}, headers=TRACE)
    load("accounting.payouts:pay_all")(now=clock.now())
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(log.Json("test"))
    pump()
    load("mailer.sender:Sender")(settings).send_due()

    accounting, mailer = (
        next(s for s in services() if s.name == n) for n in ("accounting", "mailer")
    )
    said = accounting.primary().rows("SELECT envelope FROM outbox WHERE type = 'payout.made'")
    kept = mailer.primary().rows("SELECT trace FROM letter WHERE kind = 'payout'")
    sent = [line for line in caplog.text.splitlines() if "letter sent" in line]
    assert said
    assert all(REQUEST in row["envelope"] for row in said)
    assert [row["trace"] for row in kept] == [TRACE["traceparent"]] * len(said)
    assert len(sent) == len(said)
    assert all(REQUEST in line for line in sent)


def complete_all(cast: Cast, client: Callable[..., Client]) -> None:
    for person in cast.dealt_to:
        theirs = client("tracker", person)
        for task in theirs.get("/tasks?assignee=me").json["tasks"]:
            theirs.post(f"/tasks/{task['id']}/completion")


def test_a_reassignment_is_followed_to_its_deals(
    cast: Cast, client: Callable[..., Client], pump: Callable[[], int]
) -> None:
    client("tracker", cast.bob).post("/tasks", {"title": "Wind the clock"})
    client("tracker", cast.ann).post("/reassignments", headers=TRACE)

    load("tracker.jobs:tick")()

    tracker = next(s for s in services() if s.name == "tracker").primary()
    said = tracker.rows("SELECT envelope FROM outbox WHERE type = 'tasks.dealt'")
    assert [REQUEST in row["envelope"] for row in said] == [True]


def test_the_command_tells_what_followed_from_a_click(
    cast: Cast, client: Callable[..., Client], pump: Callable[[], int]
) -> None:
    client("tracker", cast.bob).post("/tasks", {"title": "Wind the clock"}, headers=TRACE)
    pump()

    told = CliRunner().invoke(main, ["trace", REQUEST])
    nothing = CliRunner().invoke(main, ["trace", "f" * 32])
    no_id = CliRunner().invoke(main, ["trace", "the plants"])

    assert re.search(r"tracker +said task\.added, event [0-9a-f-]{36}\n", told.output)
    assert re.search(r"accounting +transfer [0-9a-f-]{36} deal_fee \d+ cents\n", told.output)
    assert (nothing.exit_code, no_id.exit_code) == (1, 2)
