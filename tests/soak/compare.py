"""The databases, the bus and the inbox against the history, once everything is quiet."""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from common.db import LOST, Row, deadline
from common.service import services
from tests.faults import faults
from tests.faults.history import WRONG_BALANCES, Truth, allowed
from tests.soak import queries
from tests.soak.clients import PAGES
from tests.soak.history import History
from tests.soak.world import World
from tracker import domain

MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([0-9a-f-]{36})@", re.M | re.I)


def unsettled(world: World, truth: Truth) -> list[str]:
    """What is still under way."""
    try:
        with deadline(20):
            found = [] if truth.is_quiet() else ["the bus is not quiet"]
            for name, sql in queries.UNSETTLED.items():
                found += column(truth.servers[name].rows(sql))
            open_day = truth.accounting.value("SELECT max(day) FROM business_day")
            if open_day < world.stack.now().date():
                found.append(f"the books are open for {open_day}")
            found += column(truth.tracker.rows(queries.LEFT_BEHIND))
        return found
    except LOST as error:
        for server in truth.servers.values():
            server.close_quietly()
        return [str(error)]


def column(rows: list[Row]) -> list[str]:
    return [next(iter(row.values())) for row in rows]


def wait_for_quiet(world: World, truth: Truth, within_s: float) -> tuple[float, list[str]]:
    """How long it took, and what was stuck at the end of that time."""
    began = time.monotonic()
    while found := unsettled(world, truth):
        waited = time.monotonic() - began
        if waited > within_s:
            return waited, found
        for run_id in [each.split()[1] for each in found if each.endswith("is paused")]:
            # Whoever paused it may have been cut off before they could say go on.
            world.forget("ann")
            world.post("ann", f"/reassignments/{run_id}/resumption", what="resume")
        if waited > within_s / 4 and all(each.startswith("letter") for each in found):
            # A letter that failed a few times is tried again after up to an hour.
            world.stack.put_forward(timedelta(minutes=5))
        time.sleep(1)
    return time.monotonic() - began, []


def differences(world: World, truth: Truth) -> Iterator[str]:
    """What is otherwise than the clients were told, or than it must be."""
    with deadline(60):
        tasks = truth.tracker.rows(queries.TASKS)
        yield from world.history.broken
        yield from task_differences(world, tasks)
        yield from money_differences(truth, tasks)
        yield from day_differences(world.history, truth)
        yield from letter_differences(truth, world.stack.folder / "inbox")
        yield from people_differences(world, truth)
        yield from bus_differences(truth)
        yield from page_differences(world, truth)


def task_differences(world: World, tasks: list[Row]) -> Iterator[str]:
    """Every task added is there as often and as its adder was told, and ended as told."""
    history, by_mark = world.history, defaultdict(list)
    for task in tasks:
        by_mark[task["title"].partition(" ·")[0]].append(task)
    for mark, outcome in history.added.items():
        if not allowed(outcome, len(by_mark[mark])):
            yield f"{mark}: {outcome}, there {len(by_mark[mark])} times"
    for mark, (count, outcome) in history.imports.items():
        there = [len(by_mark[f"{mark}/{n}"]) for n in range(count)]
        if len(set(there)) > 1 or not allowed(outcome, there[0]):
            yield f"import {mark}: {outcome}, its tasks there {there} times"
    for mark, register in history.descriptions.items():
        for task in by_mark[mark]:
            if not register.allows(task["description"]):
                yield f"{mark} reads {task['description']}, not {register.sure}"
    names = {user_id: name for name, user_id in world.ids.items()}
    for task in tasks:
        yield from end_differences(task, history.ends.get(str(task["id"]), []), names)


def end_differences(
    task: Row, told: list[tuple[str, str, str]], names: dict[str, str]
) -> Iterator[str]:
    sure = [(how, by) for how, by, outcome in told if outcome == "ok"]
    maybe = [(how, by) for how, by, outcome in told if outcome == "unknown"]
    is_now = (task["status"], names.get(str(task["ended_by"])))
    if task["status"] is None:
        yield f"{task['title']} is nowhere"
    elif len(sure) > 1:
        yield f"{task['title']} was ended {len(sure)} times: {sure}"
    elif sure and is_now != sure[0]:
        yield f"{task['title']} is {is_now}, but {sure[0]} was told"
    elif not sure and task["status"] != "open" and is_now not in maybe:
        yield f"{task['title']} is {is_now}, but {told} was told"


def money_differences(truth: Truth, tasks: list[Row]) -> Iterator[str]:
    """Every deal is charged once to whom the seed says, every completion paid once, every
    withdrawal given back once; and balances are sums.
    """
    runs = {run["id"]: run for run in truth.tracker.rows(queries.RUNS)}
    moved = truth.accounting.rows(queries.TRANSFERS)
    yield from (f"{row} more than once" for row in moved if row["times"] > 1)
    by_kind = defaultdict(list)
    for row in moved:
        by_kind[row["kind"]].append(row)
    charged = Counter(row["run_id"] for row in by_kind["deal_fee"])
    for run in runs.values():
        if charged[run["id"]] != run["dealt"]:
            yield f"{run['kind']} {run['id']} dealt {run['dealt']}, charged {charged[run['id']]}"
        if run["state"] == "done" and run["done"] != run["total"]:
            yield f"{run['kind']} {run['id']} is done with {run['done']} of {run['total']}"
    for row in by_kind["deal_fee"]:
        run = runs[row["run_id"]]
        if domain.deal(row["task_id"], run["worker_ids"], bytes(run["seed"])) != row["worker_id"]:
            yield f"the draw of {row['task_id']} in {run['id']} is another"
    fees = {(row["task_id"], row["run_id"]): row["worker_id"] for row in by_kind["deal_fee"]}
    yield from pairs("last fee", {task["id"]: fees.get((task["id"], task["run_id"]))
                                  for task in tasks},
                     {task["id"]: task["assignee_id"] for task in tasks})  # fmt: skip
    for kind, status in (("completion_reward", "done"), ("reversal", "withdrawn")):
        yield from pairs(kind, {row["task_id"]: row["worker_id"] for row in by_kind[kind]},
                         {task["id"]: task["assignee_id"] for task in tasks
                          if task["status"] == status})  # fmt: skip
    yield from (f"balance of {row['worker_id']}" for row in truth.accounting.rows(WRONG_BALANCES))
    prices = "SELECT task_id, (fee_cents, reward_cents)::text AS cents FROM price"
    ours, theirs = (
        {row["task_id"]: row["cents"] for row in server.rows(prices)}
        for server in (truth.tracker, truth.accounting)
    )
    yield from pairs("price", ours, theirs)
    yield from column(truth.tracker.rows(queries.TALLY))


def pairs(what: str, found: dict[UUID, Any], wanted: dict[UUID, Any]) -> Iterator[str]:
    for key in found.keys() | wanted.keys():
        if found.get(key) != wanted.get(key):
            yield f"{what} of {key}: {found.get(key)}, must be {wanted.get(key)}"


def day_differences(history: History, truth: Truth) -> Iterator[str]:
    """No day is missing, each is paid out, and those closed by hand are closed."""
    for sql in (queries.NOT_EMPTIED, queries.PAID_TOO_MUCH, queries.DAYS_MISSED):
        yield from column(truth.accounting.rows(sql))
    closed = column(truth.accounting.rows(
        "SELECT day::text FROM business_day WHERE state = 'closed'"))  # fmt: skip
    for day, outcomes in history.closings.items():
        if outcomes.count("ok") > 1 or ("ok" in outcomes and day not in closed):
            yield f"{day} was closed with {outcomes}, closed are {closed}"


def letter_differences(truth: Truth, inbox: Path) -> Iterator[str]:
    """One letter a payout, of its amount, sent, told of, and in the inbox."""
    paid = truth.accounting.rows(queries.PAYOUTS)
    letters = truth.servers["mailer"].rows(queries.LETTERS)
    yield from pairs("letter", {row["cause_id"]: row["cents"] for row in letters},
                     {row["id"]: row["cents"] for row in paid})  # fmt: skip
    yield from (f"payout {row['id']}: letter {row['state']}" for row in paid
                if row["state"] != "sent")  # fmt: skip
    there = arrived(inbox)
    yield from (f"letter {row['id']} never came" for row in letters if str(row["id"]) not in there)
    known = {str(row["id"]) for row in letters}
    yield from (f"letter {each} is nobody's" for each in there if each not in known)


def arrived(inbox: Path) -> Counter[str]:
    """How often each letter came."""
    found: Counter[str] = Counter()
    for path in inbox.glob("*.eml"):
        match = MESSAGE_ID.search(path.read_bytes())
        found[match[1].decode() if match else path.name] += 1
    return found


def people_differences(world: World, truth: Truth) -> Iterator[str]:
    """People are as the admin was told, and every service knows them so."""
    people = truth.servers["gateway"].rows(queries.PEOPLE.replace("id,", "id, email,", 1))
    times = Counter(person["email"] for person in people)
    for email, outcome in world.history.people.items():
        if not allowed(outcome, times[email]):
            yield f"{email}: {outcome}, there {times[email]} times"
    for person in people:
        for field in ("name", "role", "is_active"):
            register = world.history.fields.get((str(person["id"]), field))
            if register and not register.allows(person[field]):
                yield f"{person['email']}: {field} {person[field]}, not {register.sure}"
    ours = {person["id"]: fields(person) for person in people}
    for name in ("tracker", "accounting"):
        theirs = {row["id"]: fields(row) for row in truth.servers[name].rows(queries.PEOPLE)}
        yield from pairs(f"{name}'s copy", theirs, ours)
    book = truth.servers["mailer"].rows("SELECT person_id, name, version FROM address")
    yield from pairs("address", {row["person_id"]: (row["name"], row["version"]) for row in book},
                     {key: (value[0], value[3]) for key, value in ours.items()})  # fmt: skip


def fields(person: Row) -> tuple:
    return tuple(person[name] for name in ("name", "role", "is_active", "version"))


def bus_differences(truth: Truth) -> Iterator[str]:
    """Nothing but the injected poison is buried."""
    for service in services():
        if service.handlers:
            yield from column(truth.servers[service.name].rows(
                f"SELECT format('%%s buried %%s: %%s', '{service.name}', left(event, 200), error)"
                f" FROM dead_letter WHERE NOT ({queries.OUR_POISON})"))  # fmt: skip


def page_differences(world: World, truth: Truth) -> Iterator[str]:
    """Every page answers, and people are shown what they have."""
    for name, pages in PAGES.items():
        world.forget(name)  # days have passed since they signed in
        yield from (f"{name} cannot see {page}" for page in pages if not world.get(name, page))
    has = {str(row["worker_id"]): row["balance_cents"]
           for row in truth.accounting.rows("SELECT * FROM report_balances")}  # fmt: skip
    seen = {user_id: world.get("dan", f"/earnings/{user_id}") for user_id in world.ids.values()}
    yield from pairs("the balance shown", {user_id: page and page["balance_cents"]
                                           for user_id, page in seen.items()},
                     {user_id: has.get(user_id, 0) for user_id in seen})  # fmt: skip
    server = faults.primary(world.stack)
    if count := faults.tell(world.stack, server, queries.LEFT_OPEN):
        yield f"{count} transactions were left open"
