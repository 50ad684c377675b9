"""What operators see: figures of every process, and one click followed to its end."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.stack import Browser, Stack
from tests.faults.hosts import all_answer, beside

DEPLOY = Path(__file__).parents[2] / "deploy"
KINDS = ["gateway web", "tracker relay", "accounting consume", "tracker work"]


def named(text: str) -> set[str]:
    return set(re.findall(r"\bexchange_[a-z_]+", text))


def own_figures(stack: Stack) -> str:
    """What the services show at their own ports, where nobody has to say who they are."""
    ports = [each["port"] for each in stack.status()["processes"] if each["name"] != "gateway-web"]
    addresses = [f"http://127.0.0.1:{port}/metrics" for port in ports if port]
    return "".join(urllib.request.urlopen(each).read().decode() for each in addresses)


def test_every_figure_that_is_watched_exists(stack: Stack, eventually: Callable) -> None:
    watched = named((DEPLOY / "prometheus/alerts.yml").read_text())
    watched |= named((DEPLOY / "grafana/exchange.json").read_text())
    with beside(stack, *KINDS) as processes:
        eventually(lambda: all_answer(processes))
        urllib.request.urlopen(f"{processes['gateway-web'].url}/healthz")
        shown = named(own_figures(stack))
        for process in processes.values():
            shown |= named(process.figures())

    assert watched <= shown, watched - shown


def test_the_workers_of_one_gunicorn_are_added_up(stack: Stack, eventually: Callable) -> None:
    with beside(stack, "tracker web", WEB_CONCURRENCY="3") as processes:
        tracker = processes["tracker-web"]
        eventually(lambda: all_answer(processes))
        for _ in range(30):
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(f"{tracker.url}/tasks", timeout=5)

        counts = {refused(tracker.figures()) for _ in range(6)}

    assert counts == {30.0}


def refused(text: str) -> float:
    line = r'exchange_request_seconds_count\{method="GET",route="/tasks",[^}]*status="401"\} (\S+)'
    found = re.search(line, text)
    return float(found[1]) if found else 0.0


def test_figures_are_no_business_of_the_public(stack: Stack, eventually: Callable) -> None:
    with beside(stack, "gateway web") as processes:
        gateway = processes["gateway-web"]
        eventually(lambda: all_answer(processes))
        with pytest.raises(urllib.error.HTTPError) as public:
            urllib.request.urlopen(f"{gateway.url}/metrics", timeout=5)
        with pytest.raises(urllib.error.HTTPError) as other:
            urllib.request.urlopen(f"http://127.0.0.1:{gateway.figures_port}/login", timeout=5)

    assert (public.value.code, other.value.code) == (404, 404)


def test_a_click_is_followed_to_the_ledger_and_a_mail(
    stack: Stack, ann: Browser, bob: Browser, fay: Browser, eventually: Callable
) -> None:
    added = click(ann, "/tasks", title="Water the plants", description="")
    name = f"gus-{added[:8]}"
    invited = click(fay, "/users", email=f"{name}@example.com", name="Gus", role="manager")

    fee = eventually(lambda: [line for line in trail(stack, added) if "deal_fee" in line])
    letter = eventually(lambda: [line for line in trail(stack, invited) if " sent" in line])

    assert "transfer" in fee[0]
    assert "letter" in letter[0]
    for request, process in (
        *((added, name) for name in ("gateway-web", "tracker-web", "accounting-consume")),
        *((invited, name) for name in ("gateway-web", "mailer-consume")),
    ):
        assert request in (stack.folder / "logs" / f"{process}.log").read_text()
    assert sent(stack, invited)


def click(browser: Browser, path: str, **form: str) -> str:
    """Posts the form; the id that its answer carries."""
    body = urllib.parse.urlencode({"csrf_token": browser.token, **form}).encode()
    request = urllib.request.Request(browser.url + path, body, {"Accept": "application/json"})
    with browser.http.open(request, timeout=30) as answer:
        return str(answer.headers["X-Request-Id"])


def trail(stack: Stack, request: str) -> list[str]:
    try:
        return stack.run("trace", request).splitlines()
    except RuntimeError:
        return []


def sent(stack: Stack, request: str) -> list[str]:
    log = (stack.folder / "logs" / "mailer-consume.log").read_text().splitlines()
    return [line for line in log if "letter sent" in line and request in line]


def test_json_lines_are_whole(stack: Stack, ann: Browser, eventually: Callable) -> None:
    with beside(stack, "gateway web") as processes:
        gateway = processes["gateway-web"]
        eventually(lambda: all_answer(processes))
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{gateway.url}/no-such-page", timeout=5)
        lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]

    told = next(line for line in lines if line["logger"] == "request")
    assert told["process"] == "gateway-web"
    assert told["message"].startswith("GET none 404 in ")
    assert told["request"] == told["trace"]
