"""What goes on while the primary, or the bus, is away."""

import time
import urllib.error
from collections.abc import Callable

import pytest

from bench.stack import Browser, Stack
from tests.faults.faults import stopped

PAGES = {
    "bob": ["/tasks", "/tasks?assignee=me&status=all", "/tasks.csv", "/earnings", "/account"],
    "ann": ["/tasks?q=lamp", "/reassignments", "/reassignments/new", "/tasks/new"],
    "fay": ["/analytics", "/accounting", "/payout-runs", "/users", "/mail", "/events"],
}


def refusal(ask: Callable[[], object]) -> urllib.error.HTTPError:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask()
    return refused.value


@pytest.mark.promise(16)
def test_every_reading_page_works_without_the_primary(
    stack: Stack, ann: Browser, bob: Browser, fay: Browser, eventually: Callable
) -> None:
    task = ann.post("/tasks", {"title": "Buy a lamp", "description": ""})
    eventually(lambda: bob.get(f"/tasks/{task['id']}")["fee_cents"])
    browsers = {"ann": ann, "bob": bob, "fay": fay}

    with stopped(stack, "postgres-primary"):
        took = []
        for name, pages in PAGES.items():
            for page in pages:
                for accept in ("text/html", "application/json"):
                    began = time.monotonic()
                    browsers[name].open(page, accept=accept)
                    took.append(time.monotonic() - began)
        began = time.monotonic()
        error = refusal(lambda: ann.post("/tasks", {"title": "Buy two", "description": ""}))
        refused_after_s = time.monotonic() - began
        shown = refusal(lambda: ann.post("/tasks", {"title": "Buy two"}, accept="text/html"))

    assert shown.code == 503
    assert "try again" in shown.read().decode()
    assert max(took) < 3
    assert (error.code, error.headers["Retry-After"] is not None) == (503, True)
    assert refused_after_s < 5
    again = eventually(lambda: ann.post("/tasks", {"title": "Buy three", "description": ""}))
    assert [t["title"] for t in ann.get("/tasks?q=buy")["tasks"]] == ["Buy three", "Buy a lamp"]
    assert again["title"] == "Buy three"


@pytest.mark.promise(15)
def test_work_goes_on_without_the_bus_and_is_credited_later(
    stack: Stack, ann: Browser, bob: Browser, fay: Browser, eventually: Callable
) -> None:
    with stopped(stack, "valkey"):
        before = eventually(lambda: settled(bob))
        for name, pages in PAGES.items():
            for page in pages:
                {"ann": ann, "bob": bob, "fay": fay}[name].open(page)
        task = ann.post("/tasks", {"title": "Paint the door", "description": ""})
        assert task["assignee"]["name"] == "Bob"
        done = bob.post(f"/tasks/{task['id']}/completion")
        asked = ann.post("/reassignments")
        assert bob.get("/earnings")["balance_cents"] == before["balance_cents"]

    eventually(lambda: bob.get(f"/tasks/{task['id']}")["reward_cents"])
    eventually(lambda: ann.get(f"/reassignments/{asked['id']}")["state"] == "done")
    assert done["status"] == "done"
    credited = eventually(
        lambda: [t for t in bob.get("/earnings")["transfers"] if t["kind"] == "completion_reward"]
    )
    assert credited[0]["task"] == {"id": task["id"], "title": "Paint the door"}


def settled(bob: Browser) -> dict | None:
    """His earnings, once what was read from the bus before it went away is in them."""
    first = bob.get("/earnings")
    time.sleep(0.5)
    again = bob.get("/earnings")
    return again if again["balance_cents"] == first["balance_cents"] else None
