"""The demo company has something to show on every page."""

from collections.abc import Callable

from common import clock, demo
from common.config import Config
from common.service import load, services
from gateway.demo import PEOPLE
from tests.conftest import Cast, Client


def test_the_demo_leaves_a_paid_week_and_an_open_day(
    settings: Config, cast: Cast, client: Callable[..., Client], replayed: Callable[[], None]
) -> None:
    for service in services():
        if service.prepare:
            load(service.prepare)()

    demo.play(settings)
    replayed()

    runs = client("accounting", cast.dan).get("/payout-runs").json["payout_runs"]
    days = client("analytics", cast.fay).get("/analytics").json["days"]
    today = clock.day_of(clock.now(), settings.timezone)
    assert [run["state"] for run in runs] == ["done"] * 7
    assert all(run["paid_cents"] > 0 for run in runs)
    assert len(days) == 8
    assert days[0]["day"] == str(today)
    assert all(day["fees_cents"] and day["rewards_cents"] for day in days)
    assert list(load("accounting.verify:differences")()) == []
    holders = {task["assignee"]["name"] for task in open_tasks(client("tracker", cast.ann))}
    assert holders >= {name for name, role in PEOPLE if role in ("worker", "accountant")}


def open_tasks(ann: Client) -> list[dict]:
    """All of them, page by page."""
    found, cursor = [], ""
    while cursor is not None:
        page = ann.get(f"/tasks?cursor={cursor}").json
        found, cursor = found + page["tasks"], page["next"]
    return found
