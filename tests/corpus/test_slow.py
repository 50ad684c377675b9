"""Whoever says little, slowly, or will not go keeps nobody else out."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from common.web import FORM_MAX
from common.web.worker import has_arrived, patience_s
from tests.conftest import CAST
from tests.corpus.wire import talk

HEAD = "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n"
MANY = 40  # one worker has 8 threads
SOON_S = 3.0
CLIENTS = {
    "say nothing": "",
    "say half a line": "GET /lo",
    "say half a head": "GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    "say half a body": f"{HEAD}Content-Length: 100\r\n\r\nhalf",
    "promise a large body": f"{HEAD}Content-Length: 20000000\r\n\r\nhalf",
    "promise a large file, signed out": f"{HEAD}Content-Length: 9000000\r\n\r\n".replace(
        "/login", "/tasks/import"
    ),
    "promise chunks": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n",
    "wait to be told to go on": f"{HEAD}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
    "were refused and stay": "GET /login\r\n\r\n",
    "were answered and stay": "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
}


@contextmanager
def crowd(port: int, said: str) -> Iterator[list[socket.socket]]:
    """So many clients that said this, and are still there."""
    with ExitStack() as stack:
        links = [stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                 for _ in range(MANY)]  # fmt: skip
        for link in links:
            link.sendall(said.encode())
        yield links


@pytest.mark.promise(44)
@pytest.mark.parametrize("clients", CLIENTS)
def test_clients_that_dawdle_keep_nobody_waiting(doors, clients):
    port = doors.ports["front"]
    with crowd(port, CLIENTS[clients]):
        began = time.monotonic()

        answer = talk(port, b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

        assert answer.statuses == [200]
        assert time.monotonic() - began < SOON_S


@pytest.mark.promise(44)
@pytest.mark.parametrize("length", [66_000, 120_000])
def test_slow_forms_of_somebody_signed_in_take_no_page_away(doors, session_of, length):
    port = doors.ports["front"]
    head = f"Host: 127.0.0.1:{port}\r\nCookie: session={session_of(CAST.bob)}\r\n"
    with crowd(port, f"POST /tasks HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\ntitle="):
        time.sleep(0.2)  # until each has what it can get
        began = time.monotonic()

        answer = talk(port, f"GET /tasks HTTP/1.1\r\n{head}\r\n".encode())

        assert answer.statuses == [200]
        assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (b"Content-Length: 163840", 20),
        (b"Content-Length: 20000000", 300),
        (b"Transfer-Encoding: chunked", 300),
    ],
)
def test_an_upload_is_waited_for_as_long_as_a_slow_line_takes(said, seconds):
    assert patience_s(b"POST / HTTP/1.1\r\n" + said + b"\r\n\r\n") == seconds


@pytest.mark.promise(44)
def test_a_request_may_come_in_pieces(doors):
    port = doors.ports["front"]
    request = f"{HEAD}Content-Length: 5\r\n\r\na=b&c".encode()
    with socket.create_connection(("127.0.0.1", port)) as link:
        for byte in request:
            link.sendall(bytes([byte]))

        assert b" 403 " in link.recv(65_536)


@pytest.mark.parametrize(
    ("data", "is_there"),
    [
        (b"", False),
        (b"GET / HTTP/1.1", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET /\r\n", True),
        (b"GET / HTTP/1.1\nHost: x\n\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", False),
        (b"POST / HTTP/1.1\r\ncontent-length:3\r\n\r\nabc", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (FORM_MAX + 1), True),
        (b"POST / HTTP/1.1\r\nX: a\r\n\r\nContent-Length: 99\r\n\r\n", True),
    ],
)
def test_what_a_thread_need_not_wait_for_is_told_from_what_has_come(data, is_there):
    assert has_arrived(data) is is_there
