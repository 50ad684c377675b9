"""A real nginx before real processes: it carries the pages, and nobody gets further than before."""

import os
import socket
import subprocess
import threading
from contextlib import ExitStack

import pytest

from bench import nginx
from bench.stack import EXCHANGE, free_port
from common import clock
from common.identity import Signer
from common.web.csrf import token_for
from gateway import actions
from gateway.models import primary
from tests.gateway.conftest import ANONYMOUS, PASSWORD, Upstream, plain, reply

FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Accept: application/json"


@pytest.fixture(scope="module")
def others():
    """Every service but the tracker."""
    with Upstream() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def urls(settings, others, tmp_path_factory):
    """nginx before a gateway and a tracker, as `front`, `gateway` and `tracker`."""
    if not nginx.path():
        assert os.environ.get("EXCHANGE_REQUIRE_NGINX") != "1", "there is no nginx"
        pytest.skip("no nginx here")
    ports = {name: free_port() for name in ("front", "gateway", "tracker")}
    urls = dict.fromkeys(("accounting", "analytics", "mailer"), others.url)
    urls |= {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    env = os.environ | settings.env | {f"{name.upper()}_URL": url for name, url in urls.items()}
    env |= {
        "GATEWAY_BIND": f"127.0.0.1:{ports['gateway']}",
        "GATEWAY_VERIFY": "1",
        "GATEWAY_TRUSTED_PROXIES": "1",
        "EXCHANGE_URL": urls["front"],
        "WEB_CONCURRENCY": "1",
    }
    behind = {name: url for name, url in urls.items() if name != "front"}
    with ExitStack() as stack:
        for name in ("gateway", "tracker"):
            process = subprocess.Popen([EXCHANGE, name, "web"], env=env)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            nginx.wait_for(ports[name], process)
        folder = tmp_path_factory.mktemp("nginx")
        stack.enter_context(nginx.running(folder, ports["front"], behind))
        yield urls


@pytest.fixture
def bob(people, others, settings):
    """The headers of Bob's browser, and his token for forms."""
    others.asked.clear()
    others.answer = plain
    _, token = actions.sign_in(people.bob.email, PASSWORD, now=clock.now(), **ANONYMOUS)
    session_id = primary.value("SELECT id FROM session")
    return f"Cookie: session={token}", token_for(settings.secret_keys[0], str(session_id))


def ask(url, line, *headers, body=""):
    """The status of the answer to this request line, and all of the answer."""
    port = int(url.rpartition(":")[2])
    length = [f"Content-Length: {len(body)}"] if body else []
    head = [f"{line} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close", *headers, *length]
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(("\r\n".join([*head, "", ""]) + body).encode("latin-1"))
        answer = b"".join(iter(lambda: link.recv(65_536), b"")).decode("latin-1")
    return int(answer.split()[1]), answer


def guards(answer):
    """What the browser is told beside the page."""
    ours = ("Content-Security", "X-Content", "Referrer", "Permissions", "Cache-Control", "X-Exch")
    return sorted(line for line in answer.split("\r\n") if line.startswith(ours))


def test_a_page_travels_straight_and_looks_no_different(urls, others, bob, settings):
    sent = ("Accept-Language: de", "X-Evil: 1", "Range: bytes=1-")

    status, answer = ask(urls["front"], "GET /earnings?q=1", bob[0], *sent)
    _, target, headers, _ = others.asked[-1]
    others.asked.clear()
    _, through_gateway = ask(urls["gateway"], "GET /earnings?q=1", bob[0], *sent)

    assert (status, target) == (200, "/earnings?q=1")
    assert headers["Host"] == urls["front"].removeprefix("http://")
    token = headers["X-Exchange-Identity"]
    assert Signer(settings.secret_keys).read(token, "analytics", "GET", "/earnings").name == "Bob"
    assert headers["X-Request-Id"] in answer
    assert set(headers) <= {*others.headers, "Cookie", "Connection"}
    assert headers["Accept-Language"] == "de"
    assert guards(answer) == guards(through_gateway) != []


def test_a_drawing_keeps_the_policy_it_brings(urls, others, bob):
    own = ("Content-Security-Policy", "style-src 'unsafe-inline'")
    others.answer = lambda handler: reply(handler, ("Content-Type", "image/svg+xml"), own)

    _, answer = ask(urls["front"], "GET /earnings/chart.svg", bob[0])

    assert [line for line in guards(answer) if line.startswith("Content-Sec")] == [": ".join(own)]


def test_the_real_service_believes_what_nginx_was_told(urls, bob):
    pages = ["/tasks?q=%C3%BC", "/tasks.csv", "/%74asks", "/tasks/new"]

    statuses = [ask(urls["front"], f"GET {page}", bob[0])[0] for page in pages]

    assert statuses == [200] * 4
    assert ask(urls["tracker"], "GET /tasks", bob[0])[0] == 401


def test_who_is_not_signed_in_is_led_to_the_door(urls, others, people):
    others.asked.clear()

    page, program = ask(urls["front"], "GET /earnings?q=1"), ask(urls["front"], "GET /tasks", JSON)

    assert page[0] == 303
    assert "Location: /login?next=/earnings%3Fq%3D1\r\n" in page[1]
    assert program[0] == 401
    assert "Please sign in first." in program[1]
    assert others.asked == []


def test_forms_go_through_the_gateway_with_all_its_checks(urls, others, bob):
    others.answer = lambda handler: reply(handler, ("X-Exchange-Lsn", "accounting=0/16B3748"))
    cookie, token = bob
    body = f"csrf_token={token}&title="

    sent = ask(urls["front"], "POST /payout-runs", cookie, FORM, body="day=2026-11-22")
    refused = [
        ask(urls["front"], "POST /tasks", cookie, FORM, "Origin: http://x.example", body=body)[0],
        ask(urls["front"], "POST /tasks", cookie, FORM, body="title=x")[0],
        ask(urls["front"], "POST /tasks", cookie, FORM, body=body)[0],
        ask(urls["front"], "PUT /tasks", cookie)[0],
        ask(urls["front"], "POST /tasks/import", cookie, "Content-Length: 30000000")[0],
    ]

    assert sent[0] == 200
    assert others.asked[-1][3] == b"day=2026-11-22"
    assert others.headers["Host"] == others.url.removeprefix("http://")
    assert "Set-Cookie: seen=accounting=0/16B3748." in sent[1]
    assert refused == [403, 403, 422, 405, 413]


@pytest.mark.parametrize(
    "target",
    [
        "/auth/verify",
        "/auth/%76erify",
        "/auth//verify",
        "/x/../auth/verify",
        "/tasks/../auth/verify",
        "//auth/verify",
        "http://127.0.0.1/auth/verify",
    ],
)
def test_nobody_gets_an_identity_from_outside(urls, bob, target):
    status, answer = ask(
        urls["front"], f"GET {target}", bob[0], "X-Original-URI: /tasks", "X-Original-Method: GET"
    )

    assert status in (400, 404)
    assert "X-Exchange" not in answer


@pytest.mark.parametrize(
    "target",
    [
        "/earnings/../payout-runs",
        "/earnings/%2e%2e/payout-runs",
        "/earnings/%252e%252e/payout-runs",
        "/tasks/..%2fearnings",
        "/earnings//x",
        "//earnings",
        "/earnings%2fx",
        "/earnings%5cx",
        "/earnings\\x",
        "/earnings/%00",
        "/earnings/%0d%0aX-Evil:1",
        "/earnings#/../payout-runs",
        "/tasks/../earnings",
        "/login/../earnings",
    ],
)
def test_a_path_with_two_readings_is_refused_here_too(urls, others, bob, target):
    status, _ = ask(urls["front"], f"GET {target}", bob[0], "X-Original-URI: /earnings")

    assert status == 400
    assert others.asked == []


def test_a_service_that_is_away_is_named(urls, others, bob):
    others.answer = lambda handler: setattr(handler, "close_connection", True)

    status, answer = ask(urls["front"], "GET /earnings", bob[0], JSON)

    assert status == 502
    assert "The part that makes the reports broke off" in answer


def test_without_the_setting_nginx_is_not_believed(as_person, people):
    headers = {"X-Original-URI": "/tasks", "X-Original-Method": "GET"}

    answer = as_person(people.bob).get("/auth/verify", headers=headers)

    assert answer.status_code == 404
    assert not [name for name, _ in answer.headers if name.startswith("X-Exchange")]
