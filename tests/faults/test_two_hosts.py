"""Every process in two copies, as on two hosts."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from bench.stack import Browser, Stack
from tests.faults.history import History, Truth, differences, load
from tests.faults.hosts import all_answer, beside

PROCFILE = Path(__file__).parents[2] / "procfiles" / "dev"


def commands() -> list[str]:
    """`tracker web` and so on: each line of the Procfile without `exchange`."""
    lines = PROCFILE.read_text().splitlines()
    return [line.partition(": exchange ")[2] for line in lines]


def test_two_of_each_process_do_nothing_twice(
    stack: Stack, ann: Browser, fay: Browser, history: History, truth: Truth, eventually: Callable
) -> None:
    guests = [f"guest{n}@example.com" for n in range(5)]
    with beside(stack, *commands()) as second:
        answering = {name: each for name, each in second.items() if name != "schedule"}
        eventually(lambda: all_answer(answering), 60)
        rows = "".join(f"Of many, number {n}\n" for n in range(10_000))
        ann.upload("/tasks/import", "file", f"title\n{rows}".encode())
        asked = ann.post("/reassignments")["id"]
        run = eventually(lambda: done(ann, asked), 60)
        there = cast(Any, SimpleNamespace(url=second["gateway-web"].url))
        with load(stack, history, "here", 2) as here, load(there, history, "there", 2):
            here.wait_for(40)
            for email in guests:
                fay.post("/users", {"email": email, "name": "Guest", "role": "manager"})
            here.wait_for(40)
        eventually(lambda: len(letters(stack, guests)) >= len(guests), 60)
        eventually(truth.is_quiet, 60)
        handled = second["accounting-consume"].figures()

    assert (history.count("failed"), history.count("unknown")) == (0, 0)
    assert differences(history, truth) == []
    assert fees_of(truth, asked) == run["dealt"]
    assert sorted(letters(stack, guests)) == guests
    assert "exchange_batch_seconds_count" in handled


def done(ann: Browser, run_id: str) -> dict | None:
    run = ann.get(f"/reassignments/{run_id}")
    return run if run["state"] == "done" else None


def fees_of(truth: Truth, run_id: str) -> int:
    sql = "SELECT count(*) FROM report_transfers WHERE kind = 'deal_fee' AND run_id = %s"
    return int(truth.accounting.value(sql, run_id))


def letters(stack: Stack, people: list[str]) -> list[str]:
    """To whom of them a mail went, as often as one did."""
    texts = [path.read_text() for path in (stack.folder / "inbox").glob("*.eml")]
    return [email for text in texts for email in people if f"To: {email}" in text]
