"""Every page asked for by every role, through the gateway and straight at the services."""

import http.client
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from accounting.models import primary as books
from common import chance, clock
from common.events import UserAdded
from common.identity import HEADER
from common.service import load, services
from common.web.csrf import FIELD, token_for
from gateway.models import primary as gateway
from tests.analytics.conftest import NOON, Books
from tests.conftest import CAST
from tracker import actions, handlers
from tracker.domain import Draft
from tracker.models import primary as tracker

TABLE = Path(__file__).with_name("access.txt").read_text()
ROLES = {"out": None, "worker": CAST.bob, "accountant": CAST.dan, "manager": CAST.ann,
         "admin": CAST.fay}  # fmt: skip
NOT_REFUSED = {200, 201, 303, 400, 404, 409, 422}
FEE, REWARD = 7701, 8803
# And what she was paid; not as part of an id or of a drawing's figures.
CATS = re.compile(r"(?<![\w.])(7701|77\.01|8803|88\.03|1102|11\.02)(?![\w.])")
UNITS = ("days", "months")


class Line(NamedTuple):
    """What the table says of one page: `{role: expected}`."""

    service: str
    method: str
    rule: str
    expected: dict[str, str]


def lines() -> list[Line]:
    rows = [line.split() for line in TABLE.split("\n") if re.match(r"\w+ +(GET|POST) /", line)]
    return [Line(row[0], row[1], row[2], dict(zip(ROLES, row[3:], strict=True))) for row in rows]


@pytest.fixture(scope="module")
def things(session_of, settings):
    """Cat's task and money, as the table names them."""
    with tracker.atomic():
        handlers.learn_people([added(CAST.cat)])
    seed, now = chance.new_seed(), clock.now()
    task_id = actions.add_task(Draft("Hers"), by=CAST.cat.id, now=now, seed=seed)
    with tracker.atomic():
        handlers.learn_people([added(one) for one in CAST if one is not CAST.cat])
    made = Books()
    with clock.hold(NOON):
        paid_task = made.task("Secret", fee=FEE, reward=REWARD)
        made.deal(CAST.cat, paid_task)
        made.complete(CAST.cat, paid_task)
        made.next_day()
    session_of(CAST.cat)
    return {
        "task_id": task_id,
        "user_id": CAST.cat.id,
        "session_id": gateway.value("SELECT id FROM session WHERE user_id = %s", CAST.cat.id),
        "transfer_id": books.value("SELECT id FROM transfer WHERE kind = 'completion_reward'"),
        "payout_run_id": books.value("SELECT id FROM payout_run"),
        "unit": "days",
        "filename": "app.css",
        "token": "x" * 43,
    }


def added(one):
    return UserAdded(user_id=one.id, email=one.email, name=one.name, role=one.role,
                     is_active=one.is_active, user_version=1)  # fmt: skip


@pytest.fixture
def ask(doors, session_of, things):
    """`ask(line, role, direct, accept)`: the status and the text."""

    def run(line, role, direct=False, accept="text/html"):
        who = ROLES[role]
        path = re.sub(r"<(\w+)>", lambda name: str(things.get(name[1], uuid4())), line.rule)
        headers, csrf = {"Accept": accept}, ""
        if who and direct:
            headers[HEADER] = doors.identity(line.service, line.method, path, who)
            csrf = token_for(doors.keys[0], str(who.id))
        elif who:
            headers["Cookie"] = f"session={session_of(who)}"
            newest = "SELECT id FROM session WHERE user_id = %s ORDER BY created_at DESC LIMIT 1"
            csrf = token_for(doors.keys[0], str(gateway.value(newest, who.id)))
        body = urlencode({FIELD: csrf}) if line.method == "POST" else None
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        port = doors.ports[line.service if direct else "gateway"]
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            link.request(line.method, path, body, headers)
            answer = link.getresponse()
            return answer.status, answer.headers["Location"] or "", answer.read().decode()
        finally:
            link.close()

    return run


def fits(expected, status, where, accept):
    if expected == "in":
        return status == 401 if "json" in accept else status == 303 and "/login" in where
    if expected == "yes":
        return status in NOT_REFUSED and (status != 303 or "/login?next" not in where)
    return status in {"no": (403,), "form": (403,), "code": (200,), "ready": (200, 503)}[expected]


def test_the_table_names_every_page_there_is(settings):
    rules = {
        (service.name, method, re.sub(r"<(?:[^<>]*:)?(\w+)>", r"<\1>", rule.rule))
        for service in services()
        for rule in load(service.app)(settings).url_map.iter_rules()
        for method in rule.methods & {"GET", "POST"}
    }

    named = [
        (line.service, line.method, line.rule.replace("<payout_run_id>", "<run_id>"))
        for line in lines()
    ]

    assert len(named) == len(set(named))
    assert set(named) == rules


@pytest.mark.promise(42)
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_through_the_gateway_everybody_gets_what_is_theirs(ask, role, accept):
    wrong = []
    for line in lines():
        expected = line.expected[role]
        if expected == "code":
            continue
        status, where, text = ask(line, role, accept=accept)
        is_leak = role in ("out", "worker", "manager") and CATS.search(text) is not None
        if not fits(expected, status, where, accept) or is_leak:
            wrong.append((line.method, line.rule, expected, status, where, is_leak))

    assert wrong == [], "\n".join(map(str, wrong))


@pytest.mark.promise(42)
@pytest.mark.parametrize("role", ROLES)
def test_straight_at_a_service_everybody_gets_what_is_theirs(ask, role):
    wrong = []
    for line in lines():
        if line.service == "gateway":
            continue
        expected = line.expected[role]
        status, where, text = ask(line, role, direct=True)
        is_leak = role in ("out", "worker", "manager") and CATS.search(text) is not None
        is_right = status == 401 if expected == "in" else fits(expected, status, where, "")
        if not is_right or is_leak:
            wrong.append((line.method, line.rule, expected, status, where, is_leak))

    assert wrong == [], "\n".join(map(str, wrong))


@pytest.mark.promise(42)
def test_accountants_do_see_it(ask):
    pages = [line for line in lines() if line.rule in ("/earnings/<user_id>", "/accounting")]

    texts = [ask(line, "accountant")[2] for line in pages]

    assert all(CATS.search(text) for text in texts)


@pytest.mark.promise(42)
@pytest.mark.parametrize("path", ["/metrics", "/tasks/healthz", "/events/gateway/dead/redrive"])
def test_what_is_for_monitors_is_not_shown_through_the_gateway(ask, path):
    status, _, text = ask(Line("gateway", "GET", path, {}), "admin")

    assert status == 404
    assert "exchange_" not in text
