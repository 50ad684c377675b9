"""A connection cut at COMMIT: nobody knows whether it was done, and it is done once at most."""

import urllib.error
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from bench.stack import Browser, Stack, free_port
from tests.faults.faults import another, frozen
from tests.faults.history import History, Truth, differences
from tests.faults.proxy import Proxy, proxy

ENDS = pytest.mark.parametrize("is_done", [True, False], ids=["reply lost", "never arrived"])
TIMES = "SELECT count(*) FROM task WHERE title = %s"
PAID = (
    "SELECT count(*) AS times FROM transfer WHERE kind = 'payout' AND day = %s GROUP BY worker_id"
)


@pytest.fixture(scope="module")
def network(stack: Stack) -> Iterator[Proxy]:
    """The way from a second tracker to its primary."""
    with proxy(stack.told()["TRACKER_DATABASE_URL"]) as made:
        yield made


@pytest.fixture(scope="module")
def beside(stack: Stack, network: Proxy) -> Iterator[str]:
    """The address of a second gateway, before that tracker."""
    tracker, gateway = (f"127.0.0.1:{free_port()}" for _ in range(2))
    at = {"TRACKER_URL": f"http://{tracker}"}
    door = at | {"GATEWAY_BIND": gateway, "EXCHANGE_URL": f"http://{gateway}"}
    with ExitStack() as second:
        second.enter_context(another(stack, "tracker web", TRACKER_DATABASE_URL=network.url, **at))
        second.enter_context(another(stack, "gateway web", **door))
        yield door["EXCHANGE_URL"]


@pytest.fixture
def eve(beside: str, eventually: Callable) -> Browser:
    """Ann, by the other door."""
    return eventually(lambda: Browser(beside, "ann@example.com"))


@pytest.fixture
def rob(beside: str, eventually: Callable) -> Browser:
    """Bob, by the other door."""
    return eventually(lambda: Browser(beside, "bob@example.com"))


@pytest.mark.promise(24)
@ENDS
def test_a_form_with_a_key_is_done_once_and_answered(
    is_done: bool, eve: Browser, network: Proxy, truth: Truth
) -> None:
    title = f"Sweep the yard {uuid4()}"
    form = {"title": title, "description": "", "form_key": uuid4().hex}
    network.cut_commit("INSERT INTO task", is_done=is_done)

    task = eve.post("/tasks", form)
    again = eve.post("/tasks", form)

    assert network.is_dropped.is_set()
    assert task["id"] == again["id"]
    assert truth.tracker.value(TIMES, title) == 1


@pytest.mark.promise(24)
@ENDS
def test_a_form_without_a_key_is_done_once_at_most_and_nobody_claims_to_know(
    is_done: bool, eve: Browser, network: Proxy, truth: Truth
) -> None:
    title = f"Rake the leaves {uuid4()}"
    network.cut_commit("INSERT INTO task", is_done=is_done)

    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        eve.post("/tasks", {"title": title, "description": ""})

    assert "Please look whether it was" in refused.value.read().decode()
    assert truth.tracker.value(TIMES, title) == is_done


@pytest.mark.promise(24)
@ENDS
def test_a_completion_is_paid_once(
    is_done: bool,
    rob: Browser,
    ann: Browser,
    network: Proxy,
    history: History,
    truth: Truth,
    eventually: Callable,
) -> None:
    task_id = history.add(ann, f"Feed the cat {uuid4()}")
    network.cut_commit("INSERT INTO outcome", is_done=is_done)
    history.complete(rob, str(task_id))
    assert history.completed == {task_id: "unknown"}

    history.complete(rob, str(task_id))

    assert history.completed == {task_id: "failed" if is_done else "ok"}
    history.completed[str(task_id)] = "ok"
    eventually(lambda: truth.is_quiet() and not truth.missing())
    assert truth.transfers("completion_reward")[str(task_id)] == 1
    assert differences(history, truth) == []


@pytest.mark.promise(24)
@ENDS
def test_a_batch_of_a_consumer_has_its_effects_once(
    is_done: bool, stack: Stack, ann: Browser, history: History, truth: Truth, eventually: Callable
) -> None:
    eventually(truth.is_quiet)
    url = stack.told()["ACCOUNTING_DATABASE_URL"]
    with frozen(stack, "accounting-consume"), proxy(url) as network:
        for _ in range(20):
            history.add(ann, f"Water the plants {uuid4()}")
        network.cut_commit("INSERT INTO transfer", is_done=is_done)
        with another(stack, "accounting consume", ACCOUNTING_DATABASE_URL=network.url):
            assert network.is_dropped.wait(20)
            eventually(lambda: truth.is_quiet() and not truth.missing())

    assert differences(history, truth) == []
