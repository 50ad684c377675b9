"""Reassignments: their pages and JSON twins."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from itsdangerous import TimestampSigner

from common import clock
from common.events import TasksPriced
from tests.conftest import Cast, Client
from tests.tracker.conftest import NOW, asked, many, work
from tracker import handlers, jobs, runs
from tracker.models import primary

RUN = {
    "id", "state", "total", "done", "dealt", "workers", "seed_sha256", "seed", "started_at",
    "finished_at",
}  # fmt: skip

SignIn = Callable[..., Client]


def test_the_preview_says_what_it_would_do(cast: Cast, see: Any) -> None:
    task_ids = many(10, cast.ann)
    handlers.learn_prices([TasksPriced(prices=[(each, 1100, 2000) for each in task_ids[:4]])])

    preview = see(cast.ann, "/reassignments/new")

    assert set(preview) == {"open", "workers", "fees_cents", "unpriced", "expected"}
    counts = [preview[name] for name in ("open", "workers", "fees_cents", "unpriced")]
    assert counts == [10, 3, 4400, 6]


def test_a_reassignment_is_asked_for_watched_and_checked(
    cast: Cast, client: SignIn, see: Any
) -> None:
    many(40, cast.ann)
    ann = client("tracker", cast.ann)
    expected = see(cast.ann, "/reassignments/new")["expected"]

    made = ann.post("/reassignments", {"expected": expected})
    joined = client("tracker", cast.fay).post("/reassignments")
    jobs.tick()
    run = see(cast.ann, f"/reassignments/{made.json['id']}")

    assert (made.status_code, joined.status_code) == (201, 200)
    assert set(made.json) >= RUN
    assert (made.json["state"], made.json["seed"]) == ("requested", None)
    assert joined.json["id"] == made.json["id"]
    assert (run["state"], run["done"], run["dealt"], run["workers"]) == ("done", 40, 40, 3)
    assert len(run["seed"]) == 64
    assert see(cast.fay, "/reassignments")["reassignments"] == [run]
    page = ann.get(f"/reassignments/{run['id']}?check=all", html=True).text
    assert "40 of 40 deals agree" in page


def test_every_run_has_a_seed_of_its_own(cast: Cast, client: SignIn) -> None:
    ann = client("tracker", cast.ann)

    for title in ("Sweep the floor", "Wipe the floor"):
        ann.post("/tasks", {"title": title, "description": ""})
    ann.post("/reassignments")

    seeds = {bytes(row["seed"]) for row in primary.rows("SELECT seed FROM run")}
    assert len(seeds) == 3


def test_an_expectation_that_no_longer_holds_is_refused(
    cast: Cast, client: SignIn, see: Any, change: Callable[..., None]
) -> None:
    many(200, cast.ann)
    ann = client("tracker", cast.ann)

    def answer(after: Callable[[], Any]) -> int:
        expected = see(cast.ann, "/reassignments/new")["expected"]
        after()
        return ann.post("/reassignments", {"expected": expected}).status_code

    assert answer(lambda: many(3, cast.ann)) == 409
    assert answer(lambda: change(cast.cat, is_active=False)) == 409
    assert ann.post("/reassignments", {"expected": "nonsense"}).status_code == 409
    page = ann.post("/reassignments", {"expected": "nonsense"}, html=True)
    assert page.status_code == 409
    assert 'name="expected"' in page.text
    assert answer(lambda: many(1, cast.ann)) == 201


@pytest.mark.parametrize(("age_s", "status"), [(590, 201), (615, 409)])
def test_a_preview_is_good_for_ten_minutes(
    cast: Cast, client: SignIn, see: Any, monkeypatch: pytest.MonkeyPatch, age_s: int, status: int
) -> None:
    many(10, cast.ann)
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) - age_s)
        expected = see(cast.ann, "/reassignments/new")["expected"]

    answer = client("tracker", cast.ann).post("/reassignments", {"expected": expected}, html=False)

    assert answer.status_code == status
    assert status == 201 or "too old" in answer.json["error"]


def test_a_finished_run_is_not_steered_any_more(cast: Cast, client: SignIn, see: Any) -> None:
    many(10, cast.ann)
    run_id = asked(cast.ann)
    work()
    before = see(cast.ann, f"/reassignments/{run_id}")
    ann = client("tracker", cast.ann)

    answers = [
        ann.post(f"/reassignments/{run_id}/{step}")
        for step in ("cancellation", "pause", "resumption")
    ]

    assert [answer.status_code for answer in answers] == [409] * 3
    assert answers[0].json["error"] == "This reassignment is done and cannot become cancelled."
    assert see(cast.ann, f"/reassignments/{run_id}") == before


def test_steering_answers_with_the_run(cast: Cast, client: SignIn) -> None:
    many(40, cast.ann)
    ann = client("tracker", cast.ann)
    path = f"/reassignments/{ann.post('/reassignments').json['id']}"

    states = [
        ann.post(f"{path}/{step}").json["state"]
        for step in ("pause", "pause", "resumption", "cancellation")
    ]

    assert states == ["paused", "paused", "requested", "cancelled"]
    assert ann.post(f"{path}/pause").status_code == 409
    assert ann.post(f"{path}/cancellation").status_code == 200
    assert client("tracker", cast.bob).post(f"{path}/pause").status_code == 403
    assert client("tracker", cast.bob).post("/reassignments").status_code == 403
    assert ann.post(f"/reassignments/{uuid4()}/pause").status_code == 404


def test_a_running_page_says_how_long_it_will_take(cast: Cast, client: SignIn) -> None:
    many(40, cast.ann)
    run_id = asked(cast.ann)
    with clock.hold(NOW + timedelta(seconds=2)):
        runs.step(now=NOW, size=20)
        runs.step(now=NOW, size=20)
        ann = client("tracker", cast.ann)
        ann.after = {"tracker": primary.value("SELECT pg_current_wal_lsn()")}
        page = ann.get(f"/reassignments/{run_id}", html=True).text

    assert "10 tasks a second, about 2 s left" in re.sub(r"\s+", " ", page)
    assert 'data-live="2"' in page


def test_with_nobody_to_deal_to_pages_say_so(
    cast: Cast, client: SignIn, change: Callable[..., None], see: Any
) -> None:
    for who in cast.dealt_to:
        change(who, is_active=False)
    ann = client("tracker", cast.ann)

    refused = ann.post("/tasks", {"title": "Sweep"})

    assert refused.status_code == 409
    assert "nobody" in refused.json["error"]
    assert ann.post("/reassignments").status_code == 409
    assert see(cast.ann, "/reassignments/new")["workers"] == 0


def test_reassignments_are_paged(cast: Cast, see: Any) -> None:
    for minute in range(27):
        asked(cast.ann, minute)
        work(minute)

    first = see(cast.ann, "/reassignments")
    second = see(cast.ann, f"/reassignments?cursor={first['next']}")

    assert (len(first["reassignments"]), len(second["reassignments"])) == (25, 2)
    assert second["next"] is None
