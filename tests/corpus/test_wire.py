"""Whatever bytes come in, nobody is taken for somebody else, and no request for two."""

import json
import time
from base64 import urlsafe_b64encode
from unittest.mock import patch

import msgspec
import pytest
from itsdangerous import TimestampSigner

from common.identity import HEADER, Signer
from tests.conftest import CAST
from tests.corpus.conftest import PAGES, PREVIOUS, SERVICES
from tests.corpus.wire import Case, cases, talk

PASSED_ON = {"Host", "Accept", "Accept-Language", "Content-Type", "If-None-Match", "User-Agent"}
PASSED_ON |= {"Cookie", "X-Request-Id", "traceparent", "Content-Length", HEADER}


@pytest.fixture(scope="module")
def cookie(session_of):
    return f"Cookie: session={session_of(CAST.bob)}"


@pytest.fixture
def send(doors, cookie):
    """`send(case, door)`: the answer, once it is as expected; the server goes on answering."""

    def run(case: Case, door: str, **names: str):
        port, page = doors.ports[door], PAGES[door]
        path = case.path.replace("{page}", page)
        token = f"{HEADER}: {doors.identity(door, case.method, path)}"
        names |= {"host": f"127.0.0.1:{port}", "page": page}
        names["auth"] = cookie if door == "front" else token
        doors.upstream.asked.clear()
        outcomes = len(case.statuses)
        answer = talk(port, case.filled(names), answers=outcomes, to_end=case.is_closed,
                      cut=case.is_cut)  # fmt: skip
        said = door, answer.statuses, answer.data[-300:]
        assert len(answer.statuses) == outcomes, said
        for status, expected in zip(answer.statuses, case.statuses, strict=True):
            assert status in expected, said
        assert answer.is_closed or not case.is_closed, said
        assert b"Traceback" not in answer.data
        alive = talk(port, b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert alive.statuses == [200]
        return answer

    return run


def check_passed_on(doors):
    """What was forwarded is Bob's, and says nothing but what the gateway let through."""
    for method, target, headers, _ in doors.upstream.asked:
        identity = Signer(doors.keys).read(headers[HEADER], "tracker", method, target)
        assert identity
        assert (identity.user_id, identity.role) == (CAST.bob.id, "worker")
        assert set(headers) <= PASSED_ON
        assert headers.get("Cookie", "flash=").startswith("flash=")


@pytest.mark.promise(36)
@pytest.mark.parametrize("case", cases("framing.http"), ids=lambda case: case.title)
def test_every_request_has_one_end(send, doors, case):
    for door in PAGES:
        send(case, door)

        assert not any("smuggled" in target for _, target, _, _ in doors.upstream.asked)
        if door == "front" and case.is_closed:
            assert doors.upstream.asked == []


@pytest.mark.promise(35)
@pytest.mark.parametrize("case", cases("paths.http"), ids=lambda case: case.title)
def test_no_path_leads_out_of_its_service(send, doors, case):
    send(case, "front")

    is_ordinary = case.statuses == ((200,),)
    assert len(doors.upstream.asked) == is_ordinary


@pytest.mark.promise(34)
@pytest.mark.parametrize("case", cases("aliases.http"), ids=lambda case: case.title)
def test_what_clients_say_of_themselves_reaches_no_service(send, doors, case):
    identity = doors.identity("tracker", "GET", "/tasks")

    send(case, "front", good=identity, for_gateway=doors.identity("gateway", "GET", "/users"))

    assert len(doors.upstream.asked) == (case.statuses == ((200,),))
    check_passed_on(doors)


@pytest.mark.promise(34)
def test_a_trailer_of_an_upload_says_nothing_of_its_sender(doors, session_of):
    port = doors.ports["front"]
    doors.upstream.asked.clear()
    forged = doors.identity("tracker", "POST", "/tasks/import")
    head = f"Host: 127.0.0.1:{port}\r\nCookie: session={session_of(CAST.ann)}\r\n"
    said = f"{head}Transfer-Encoding: chunked\r\nTrailer: {HEADER}\r\n\r\n3\r\na=b\r\n0\r\n"

    answer = talk(port, f"POST /tasks/import HTTP/1.1\r\n{said}{HEADER}: {forged}\r\n\r\n".encode())

    [(method, target, headers, body)] = doors.upstream.asked
    identity = Signer(doors.keys).read(headers[HEADER], "tracker", method, target)
    assert (answer.statuses, body) == ([200], b"a=b")
    assert identity
    assert identity.user_id == CAST.ann.id
    assert headers[HEADER] != forged


@pytest.mark.promise(34)
@pytest.mark.parametrize("case", cases("identity.http"), ids=lambda case: case.title)
def test_a_service_believes_the_gateway_alone(send, doors, case):
    for service in SERVICES:
        send(case, service, **claims(doors, service))


def claims(doors, service):
    """Identities of an admin, each with one thing wrong but the first two."""
    page = PAGES[service]
    others = {"tracker": "mailer", "accounting": "tracker", "analytics": "accounting"}

    def signed(audience=service, method="GET", path=page, **more):
        return doors.identity(audience, method, path, **more)

    good = signed()
    payload, moment, signature = good.split(".")
    facts = msgspec.json.decode(bytes.fromhex(payload))
    worker = signed(role="worker").split(".")
    forged = ".".join([msgspec.json.encode(facts | {"role": "admin"}).hex(), *worker[1:]])
    other_salt = TimestampSigner(doors.keys[0], salt="seen", key_derivation="hmac")
    return {
        "good": good,
        "previous_key": signed(keys=(PREVIOUS,)),
        "old_key": signed(keys=("o" * 64,)),
        "expired": signed_at(time.time() - 32, signed),
        "future": signed_at(time.time() + 60, signed),
        "other_service": signed(others.get(service, "tracker")),
        "for_gateway": signed("gateway"),
        "other_page": signed(path="/"),
        "other_method": signed(method="POST"),
        "unsigned": payload,
        "forged": forged,
        "cut": good[:-4],
        "empty_signature": f"{payload}.{moment}.",
        "alg_none": f"{part({'alg': 'none'})}.{part(facts)}.",
        "alg_hs256": f"{part({'alg': 'HS256'})}.{part(facts)}.{signature}",
        "other_salt": other_salt.sign(payload).decode(),
    }


def signed_at(moment, sign):
    with patch("itsdangerous.timed.time.time", lambda: moment):
        return sign()


def part(facts):
    return urlsafe_b64encode(json.dumps(facts).encode()).decode().rstrip("=")
