"""Nobody is believed who says at a service's own port who they are, but the gateway."""

import time
from uuid import UUID

import msgspec
import pytest

from common.identity import HEADER, Identity, Signer

PAGES = {"tracker": "/tasks", "accounting": "/payout-runs", "analytics": "/earnings"}
PAGES |= {"mailer": "/mail"}
BOB = UUID("01900000-0000-7000-8000-000000000002")


def token(keys, audience, path, method="GET", **changes):
    facts = {
        "user_id": BOB,
        "name": "Bob",
        "role": "admin",
        "session_id": BOB,
        "audience": audience,
        "method": method,
        "path": path,
        "request_id": "x",
    }
    return Signer(keys).sign(Identity(**facts | changes))


def unsigned(keys, audience, path):
    made = token(keys, audience, path)
    return made.rsplit(".", 2)[0]


def forged(keys, audience, path):
    """Another role in a token that was good."""
    payload, *proof = token(keys, audience, path, role="worker").split(".")
    facts = msgspec.json.decode(bytes.fromhex(payload)) | {"role": "admin"}
    return ".".join([msgspec.json.encode(facts).hex(), *proof])


FORGERIES = {
    "none": lambda *_: [],
    "empty": lambda *_: [(HEADER, "")],
    "plain": lambda *_: [(HEADER, "admin"), ("X-User", "fay"), ("X-Role", "admin")],
    "unsigned": lambda *of: [(HEADER, unsigned(*of))],
    "forged": lambda *of: [(HEADER, forged(*of))],
    "another key": lambda _, *of: [(HEADER, token(("k" * 64,), *of))],
    "another service": lambda keys, _, path: [(HEADER, token(keys, "gateway", path))],
    "another page": lambda keys, service, _: [(HEADER, token(keys, service, "/"))],
    "another method": lambda *of: [(HEADER, token(*of, method="POST"))],
    "doubled": lambda *of: [(HEADER, token(*of)), (HEADER, token(*of))],
    "joined": lambda *of: [(HEADER, f"{token(*of)}, {token(*of)}")],
    "another name": lambda *of: [("X-Exchange-Identity-", token(*of)), ("X-Identity", token(*of))],
    "a cookie": lambda *of: [("Cookie", f"{HEADER}={token(*of)}")],
}


@pytest.mark.promise(34)
@pytest.mark.parametrize("service", sorted(PAGES))
@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_what_the_gateway_did_not_sign_for_this_is_refused(apps, settings, clean, service, forgery):
    path = PAGES[service]
    headers = FORGERIES[forgery](settings.secret_keys, service, path)

    answer = apps(service).test_client().get(path, headers=headers)

    assert answer.status_code == 401


@pytest.mark.promise(34)
@pytest.mark.parametrize("service", sorted(PAGES))
def test_what_it_signed_is_believed_for_half_a_minute(apps, settings, clean, monkeypatch, service):
    path, http = PAGES[service], apps(service).test_client()
    headers = [(HEADER, token(settings.secret_keys, service, path))]
    assert http.get(path, headers=headers).status_code == 200

    present = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: present + 32)

    assert http.get(path, headers=headers).status_code == 401


@pytest.mark.promise(34)
def test_what_a_client_says_of_itself_is_not_passed_on(as_person, people, upstream):
    bob = as_person(people.bob)
    said = token(("k" * 64,), "tracker", "/tasks")
    names = [HEADER, HEADER.upper(), "X_Exchange_Identity", "X.Exchange.Identity", "X-User"]

    for name in [*names, "X-Exchange-Read-Only", "X-Forwarded-For", "X-Remote-User"]:
        bob.get("/tasks", headers={name: said})

    assert len(upstream.asked) == 8
    assert not any(said in str(headers) for _, _, headers, _ in upstream.asked)
