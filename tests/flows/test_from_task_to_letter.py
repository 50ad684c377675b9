"""The whole story of a paid worker, across all services, step by step and without waiting."""

import email
import email.policy
import hashlib
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from common import clock
from common.config import Config
from common.service import load
from tests.conftest import Cast, Client

CSV = "title,description\n" + "".join(
    f'"[REL-{n}] - Выпуск {n}, ""проверить""",многое\n' for n in range(1, 61)
)


def letters_in(inbox: Path) -> list[Any]:
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted(inbox.glob("*.eml"))
    ]


def spell(cents: int) -> str:
    return f"{cents // 100:,}.{cents % 100:02}"


def test_a_worker_is_dealt_tasks_completes_some_and_is_paid_by_letter(
    cast: Cast,
    client: Callable[..., Client],
    pump: Callable[[], int],
    replayed: Callable[[], None],
    settings: Config,
    inbox: Path,
) -> None:
    # Ann imports sixty tasks, and each is dealt to Bob, Cat or Dan.
    ann, bob = client("tracker", cast.ann), client("tracker", cast.bob)
    report = ann.post("/tasks/import", {"file": (BytesIO(CSV.encode()), "tasks.csv")}).json
    assert report == {"added": 60, "refused": []}
    pump()
    replayed()
    counts = {
        who.name: len(list(every(bob, f"/tasks?assignee={who.id}", "tasks")))
        for who in cast.dealt_to
    }
    assert sum(counts.values()) == 60
    assert all(counts.values())

    # Bob completes all of his, which pays more than they cost.
    for task in list(every(bob, "/tasks?assignee=me", "tasks")):
        assert task["fee_cents"] in range(1000, 2001, 100)
        assert bob.post(f"/tasks/{task['id']}/completion").status_code == 200
    pump()
    replayed()
    earned = client("analytics", cast.bob).get("/earnings").json
    done = list(every(bob, "/tasks?assignee=me&status=done", "tasks"))
    rewards, fees = (sum(task[f"{name}_cents"] for task in done) for name in ("reward", "fee"))
    assert earned["balance_cents"] == earned["today_cents"] == rewards - fees
    statement = list(every(client("analytics", cast.bob), "/earnings", "transfers"))
    assert sum(line["amount_cents"] for line in statement) == rewards - fees
    assert {line["task"]["title"] for line in statement} == {task["title"] for task in done}

    # Ann deals the rest anew; every deal costs a fee and follows from the seed.
    asked = ann.post("/reassignments")
    assert asked.status_code == 201
    load("tracker.jobs:tick")()
    replayed()
    run = ann.get(f"/reassignments/{asked.json['id']}").json
    assert (run["state"], run["done"], run["dealt"]) == ("done", 60 - len(done), 60 - len(done))
    assert hashlib.sha256(bytes.fromhex(run["seed"])).hexdigest() == asked.json["seed_sha256"]
    pump()
    replayed()
    company = client("analytics", cast.fay).get("/analytics").json
    prices = {task["id"]: task for task in every(ann, "/tasks?status=all", "tasks")}
    all_fees = sum(task["fee_cents"] for task in prices.values())
    again = sum(task["fee_cents"] for task in prices.values() if task["status"] == "open")
    assert company["today"]["fees_cents"] == all_fees + again
    assert company["today"]["rewards_cents"] == rewards
    assert company["today"]["company_cents"] == all_fees + again - rewards
    assert company["dearest"]["day"]["reward_cents"] == max(t["reward_cents"] for t in done)

    # Dan closes the day: Bob is paid if he is in the plus, debts are carried over.
    balances = {
        who.name: client("analytics", who).get("/earnings").json["balance_cents"]
        for who in cast.dealt_to
    }
    dan = client("accounting", cast.dan)
    day = company["today"]["day"]
    closing = dan.post("/payout-runs", {"day": day})
    assert closing.status_code == 201
    load("accounting.jobs:tick")()
    assert dan.post("/payout-runs", {"day": day}).status_code == 409
    pump()
    positive = {name: cents for name, cents in balances.items() if cents > 0}
    closed = dan.get(f"/payout-runs/{closing.json['id']}").json
    assert (closed["state"], closed["paid_cents"]) == ("done", sum(positive.values()))
    assert {p["worker"]["name"]: p["amount_cents"] for p in closed["payouts"]} == positive

    # One letter to each person paid, with the right amount.
    sender = load("mailer.sender:Sender")(settings)
    with clock.hold(clock.now() + timedelta(seconds=1)):
        while sender.send_due():
            pass
    pump()
    replayed()
    sent = {letter["To"]: letter for letter in letters_in(inbox)}
    assert len(sent) == len(letters_in(inbox)) == len(positive)
    for name, cents in positive.items():
        letter = next(one for to, one in sent.items() if name.lower() in to.lower())
        assert spell(cents) in letter["Subject"]
        assert spell(cents) in letter.get_body(("plain",)).get_content()
        assert spell(cents) in letter.get_body(("html",)).get_content()
    told = dan.get(f"/payout-runs/{closing.json['id']}").json
    assert {payout["letter"] for payout in told["payouts"]} == {"sent"} or not positive

    # The books agree with themselves and with what everybody sees.
    assert list(load("accounting.verify:differences")()) == []
    for who in cast.dealt_to:
        left = client("analytics", who).get("/earnings").json["balance_cents"]
        assert left == min(0, balances[who.name])


def every(who: Client, path: str, name: str) -> Any:
    """All pages of a list."""
    joint = "&" if "?" in path else "?"
    page = who.get(path).json
    yield from page[name]
    while page["next"]:
        page = who.get(f"{path}{joint}cursor={page['next']}").json
        yield from page[name]
