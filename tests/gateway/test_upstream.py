"""The gateway and a service that is away, hangs, breaks off or comes back."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from gateway import upstream as module
from gateway.connection import Connection
from tests.gateway.conftest import plain, reply

PLACES = 8
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture
def bob(as_person, people):
    return as_person(people.bob)


@pytest.fixture
def tracker(app):
    """The gateway's side of the tracker."""
    return app.extensions["exchange-gateway"].upstreams["tracker"]


def test_connections_are_kept(bob, upstream):
    for _ in range(5):
        bob.get("/tasks")

    assert upstream.connections == 1


def closing(handler):
    """Answers once, and then closes without having said so."""
    reply(handler)
    handler.close_connection = True


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_that_was_closed_is_replaced(bob, upstream, method):
    upstream.answer = closing
    bob.get("/tasks")
    time.sleep(0.05)

    answer = bob.open(method, "/tasks")

    assert answer.status_code == 200
    assert [asked[0] for asked in upstream.asked] == ["GET", method]


def dropping(handler):
    """Takes the request and hangs up."""
    handler.close_connection = True


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1)])
def test_only_what_is_harmless_is_asked_twice(bob, upstream, method, times):
    bob.get("/tasks")
    upstream.asked.clear()
    upstream.answer = dropping

    answer = bob.open(method, "/tasks")

    assert answer.status_code == 502
    assert len(upstream.asked) == times
    assert ("may have been done" in answer.json["error"]) is (method == "POST")


def test_a_service_that_is_away_is_named(bob, upstream):
    upstream.shutdown()
    upstream.server_close()

    as_json, as_page = bob.get("/payout-runs"), bob.get("/payout-runs", html=True)

    assert (as_json.status_code, as_page.status_code) == (503, 503)
    assert as_json.headers["Retry-After"] == "5"
    assert "The part that moves the money is away" in as_json.json["error"]
    assert as_json.json["error"] in as_page.text


def test_a_service_that_takes_too_long_is_not_waited_for(bob, upstream, tracker):
    def slow(handler):
        time.sleep(0.5)
        reply(handler)

    upstream.answer = slow
    tracker.answer_s = 0.1

    answer = bob.get("/tasks")

    assert answer.status_code == 504
    assert "keeps the tasks takes too long" in answer.json["error"]


@contextmanager
def hanging(upstream, part):
    """Nothing under that path is answered until the block ends."""
    gate = threading.Event()

    def answer(handler):
        if handler.path.startswith(part):
            gate.wait(10)
        plain(handler)

    upstream.answer = answer
    try:
        yield
    finally:
        gate.set()


@pytest.mark.promise(40)
def test_a_service_that_hangs_takes_its_own_places_only(bob, upstream, tracker, monkeypatch):
    monkeypatch.setattr(module, "PLACE_S", 0.05)

    with ThreadPoolExecutor(PLACES) as pool, hanging(upstream, "/tasks"):
        waiting = [pool.submit(tracker.ask, "GET", "/tasks", [], None) for _ in range(PLACES)]
        while len(upstream.asked) < PLACES:
            time.sleep(0.01)
        one_more, neighbour = bob.get("/tasks"), bob.get("/payout-runs")

    assert (one_more.status_code, one_more.headers["Retry-After"]) == (503, "5")
    assert "keeps the tasks is busy" in one_more.json["error"]
    assert neighbour.status_code == 200
    assert [each.result()[0].status for each in waiting] == [200] * PLACES
    assert bob.get("/tasks").status_code == 200


@pytest.mark.promise(40)
def test_what_has_not_answered_thrice_is_not_waited_for(bob, upstream, tracker):
    tracker.answer_s = 0.1

    with hanging(upstream, ""):
        slow = [bob.get("/tasks").status_code for _ in range(3)]
        asked = len(upstream.asked)
        began = time.monotonic()
        refused = [bob.get("/tasks").status_code for _ in range(3)]
        took_s = time.monotonic() - began

    assert (slow, refused) == ([504] * 3, [503] * 3)
    assert took_s < 0.1 * 3
    assert len(upstream.asked) == asked


def test_it_is_asked_for_its_health_before_it_is_given_anything_to_do(
    bob, upstream, tracker, monkeypatch
):
    monkeypatch.setattr(module, "LOOK_S", 0.1)
    tracker.answer_s = 0.1
    with hanging(upstream, ""):
        for _ in range(3):
            bob.get("/tasks")
        upstream.asked.clear()
        tracker.breaker.again_at = 0.0
        still = bob.post("/tasks", {"title": "x"})
    tracker.breaker.again_at = 0.0

    again = bob.post("/tasks", {"title": "x"})

    assert (still.status_code, again.status_code) == (503, 200)
    assert [(method, path) for method, path, *_ in upstream.asked] == [
        ("GET", "/healthz"),
        ("GET", "/healthz"),
        ("POST", "/tasks"),
    ]


def test_a_long_work_may_take_long(as_person, people, upstream, tracker):
    ann = as_person(people.ann)

    def slow(handler):
        time.sleep(0.3)
        reply(handler)

    upstream.answer = slow
    tracker.answer_s = 0.1
    run = "/reassignments/01900000-0000-7000-8000-000000000002"

    taken_in = ann.open("POST", "/tasks/import", data=b"x" * 1_000_000)
    statuses = [ann.get(f"{run}{query}").status_code for query in ("?check=all", "?check=1")]

    assert taken_in.status_code == 200
    assert statuses == [200, 504]


def saying(raw):
    """A service that answers with these bytes and hangs up."""

    def answer(handler):
        handler.wfile.write(raw)
        handler.close_connection = True

    return answer


@pytest.mark.parametrize(
    "raw",
    [
        b"what?\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        FINE + b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    ],
)
def test_an_answer_that_is_no_good_http_is_a_bad_one(bob, upstream, raw):
    upstream.answer = saying(raw)

    assert bob.get("/tasks").status_code == 502


@pytest.mark.parametrize(
    "raw",
    [
        FINE,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + FINE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
    ],
)
def test_an_answer_comes_in_one_piece_or_many(bob, upstream, raw):
    for size in (len(raw), 1):

        def bit_by_bit(handler, size=size):
            for start in range(0, len(raw), size):
                handler.wfile.write(raw[start : start + size])
                handler.wfile.flush()

        upstream.answer = bit_by_bit

        answer = bob.get("/tasks")

        assert (answer.status, answer.data) == ("200 OK", b"hi")
        assert "Link" not in answer.headers
    assert upstream.connections == 1


def test_a_head_says_how_long_its_body_would_be(bob, upstream):
    for _ in range(2):
        answer = bob.open("HEAD", "/tasks")

        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "2")
    assert upstream.connections == 1


def test_a_head_with_a_body_is_a_bad_answer(bob, upstream):
    upstream.answer = saying(FINE)

    assert bob.open("HEAD", "/tasks").status_code == 502


def test_no_header_is_sent_as_two(tracker):
    with pytest.raises(ValueError, match="more than one line"):
        tracker.ask("GET", "/tasks", [("Accept", "a\r\nX-Role: admin")], None)


def test_a_service_behind_a_unix_socket_is_reached(bob, tmp_path):
    path = str(tmp_path / "web.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    link = Connection(f"unix:{path}", 1, 1)
    link.connect()
    there, _ = listener.accept()

    link.send_request("GET", "/healthz", [], None)

    assert there.recv(100).startswith(b"GET /healthz HTTP/1.1\r\n")
    for each in (link, there, listener):
        each.close()


def test_readiness_is_told_in_full_to_those_signed_in(bob, browser, upstream):
    upstream.answer = lambda handler: reply(handler, text='{"status": "ok"}')

    inside, outside = bob.get("/readyz"), browser().get("/readyz")

    assert (inside.status_code, outside.status_code) == (200, 200)
    assert outside.json == {"status": "ok"}
    assert inside.json["dependencies"] == {
        "gateway-primary": "ok",
        "gateway-replica": "ok",
        "bus": "ok",
        **dict.fromkeys(("tracker", "accounting", "analytics", "mailer"), "ok"),
    }


def test_what_is_missing_is_told_although_pages_can_be_read(bob, browser, upstream):
    states = '{"dependencies": {"tracker-primary": "refused", "tracker-replica": "ok"}}'
    upstream.answer = lambda handler: reply(handler, text=states)

    inside, outside = bob.get("/readyz"), browser().get("/readyz")

    assert (inside.status_code, outside.status_code) == (200, 200)
    assert outside.json == {"status": "ok"}
    assert inside.json["status"] == "impaired"
    assert inside.json["dependencies"]["tracker"] == {"tracker-primary": "refused"}


def test_it_is_not_ready_while_a_service_is_away(bob, browser, upstream):
    upstream.shutdown()
    upstream.server_close()

    inside, outside = bob.get("/readyz"), browser().get("/readyz")

    assert (inside.status_code, outside.status_code) == (503, 503)
    assert outside.json == {"status": "not ready"}
    assert "refused" in inside.json["dependencies"]["tracker"]
