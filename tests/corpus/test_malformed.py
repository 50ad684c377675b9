"""What nobody can take is refused in a sentence, and nothing of it is kept."""

import base64
import io
import re
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.web.csrf import FIELD
from tests.conftest import CAST
from tests.corpus.site import NOBODY, Site
from tests.corpus.test_access import added
from tests.corpus.wire import talk
from tracker import handlers
from tracker.models import primary as tracker

NAMES = ("status", "assignee", "q", "sort", "cursor", "kind", "check", "since", "until", "role",
         "what", "service", "state", "person", "task", "balance", "report", "next")  # fmt: skip
FIELDS = ("title", "jira_id", "description", "day", "expected", "reason", "name", "email", "role",
          "active", "password", "form_key", "from", "dry_run", "csrf_token")  # fmt: skip
CURSORS = (
    "[]", "null", "{}", '["a"]', "[1]", "[1e999, 2]", '["9999-12-31"]', '["0001-01-01"]',
    '["\\ud800", "x"]', f'["\\u0000", "{NOBODY}"]', f'["0001-01-01T00:00:00", "{NOBODY}"]',
    f'["9999-12-31T23:59:59-14:00", "{NOBODY}"]', f'["{NOBODY}"]', f'["{NOBODY}", 1e300]',
    f'["{NOBODY}", 99999999999999999999999]', "[" * 3000,
)  # fmt: skip


def sealed(text: str) -> str:
    """As a page's `next`."""
    return base64.urlsafe_b64encode(text.encode()).decode()


VALUES = (
    "", " ", "x", "0", "-1", "1e309", "NaN", "9" * 400, "9223372036854775808", "null", "[]", "%",
    "\\", "'", '"', "';--", "%s", "{0}", "{{7*7}}", "\0", "a\0b", "\r\nX: y", "\x1b[31m", "\ufffe",
    "\u202e", "\U0001f600" * 300, "x" * 5000, "x " * 500, "me", "all", "deal_fee", "admin",
    "0000-00-00", "9999-12-31", "10000-01-01", "9999-99-99", "0001-01-01", "2026-02-30",
    "2026-W01-1", "20260101", "infinity", NOBODY, f"{{{NOBODY}}}", "g" * 36, "=", "====", "é",
    *(sealed(each) for each in CURSORS),
)  # fmt: skip
RAW = ("%ff", "%c0%ae", "%ed%a0%80", "%", "%zz", "%00", "+", "%0d%0a")
FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\ny'
XML = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
BODIES = {
    "a JSON body": ("application/json", b'{"title": "x", "csrf_token": "y"}'),
    "a JSON body cut short": ("application/json", b"{"),
    "XML": ("application/xml", XML),
    "plain text": ("text/plain", b"title=x"),
    "no type": ("", b"title=x"),
    "a type that is none": (";;;", b"title=x"),
    "parts without a boundary": ("multipart/form-data", b"--x\r\n\r\n--x--"),
    "parts with a long boundary": (f"multipart/form-data; boundary={'x' * 7000}", b"--x\r\n"),
    "parts without an end": (PARTS, PART),
    "parts without a name": (PARTS, PART.replace(b'; name="title"', b"") + b"\r\n--x--\r\n"),
    "parts with an endless head": (PARTS, b"--x\r\n" + b"X: y\r\n" * 20_000),
    "two thousand parts": (PARTS, (PART + b"\r\n") * 2000 + b"--x--\r\n"),
    "a part of a megabyte": (PARTS, PART + b"y" * 1_000_000 + b"\r\n--x--\r\n"),
    "twenty thousand fields": (FORM, b"t=y&" * 20_000),
    "a field of a megabyte": (FORM, b"title=" + b"y" * 1_000_000),
    "bytes that are no UTF-8": (FORM, b"title=\xff\xfe%ff%fe&csrf_token=%ff"),
    "another charset": (f"{FORM}; charset=utf-16", "title=x".encode("utf-16")),
}
CSVS = {
    "nothing": b"",
    "another header": b"name,what\nx,y\n",
    "one column of another name": b"x\ny\n",
    "a byte order mark of UTF-16": "title\nx\n".encode("utf-16"),
    "bytes that are no UTF-8": b"title\n\xff\xfe\n",
    "no UTF-8 at its very end": b"title\nx\n" + b"y\n" * 100_000 + b"\xe2\x82",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
    "a zip file": b"PK\x03\x04" + b"\0" * 500,
}
PART_BAD = {
    "a NUL": b"title\na\0b\n",
    "quotes that never close": b'title\n"a\nb\nc\n',
    "a field of ten megabytes": b"title\n" + b"x" * 10_000_000 + b"\n",
    "more cells than names": b"title\na,b,c\n",
    "a title of spaces": b"title\n   \n",
    "a key that is none": b"title,jira_id\nx,lower-1\n",
    "a title that turns the line": b"title\na\xe2\x80\xa8b\n",
}
FUZZ = settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


@pytest.fixture(scope="module")
def site(apps, settings, grounds, doors, session_of):
    found = Site(apps, settings, grounds, doors, session_of(CAST.fay))
    with tracker.atomic():
        handlers.learn_people([added(one) for one in CAST])
    answer = found.open("tracker", "POST", "/tasks", data={
        FIELD: found.token("tracker"), "title": "Sweep"})  # fmt: skip
    found.task_id = answer.json["id"]
    return found


def check(answer, *, may_be_taken=True):
    """Taken or refused, it is said in a sentence; nothing of ours shows."""
    said = (answer.request.path, answer.request.query_string, answer.status, answer.text[:300])
    assert answer.status_code < 500, said
    assert may_be_taken or answer.status_code >= 400, said
    assert "Traceback" not in answer.text, said
    assert "psycopg2" not in answer.text, said
    if answer.status_code >= 400:
        assert re.match(r"[A-Z“].*[.!?”]$", answer.json["error"]), said


@pytest.mark.promise(44)
@FUZZ
@given(data=st.data())
def test_no_question_breaks_a_page(site, data):
    service, path = data.draw(st.sampled_from(site.pages("GET")))
    asked = data.draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=4))
    raw = data.draw(st.sampled_from(("", *RAW)))
    query = urlencode(asked) + (f"&{data.draw(st.sampled_from(NAMES))}={raw}" if raw else "")

    check(site.open(service, "GET", path, query))


@pytest.mark.promise(44)
def test_no_cursor_breaks_a_page(site):
    for service, path in site.pages("GET"):
        for text in CURSORS:
            check(site.open(service, "GET", path, urlencode({"cursor": sealed(text)})))


@pytest.mark.promise(44)
@FUZZ
@given(data=st.data())
def test_no_form_breaks_a_page(site, data):
    service, path = data.draw(st.sampled_from(site.pages("POST")))
    values = st.lists(st.sampled_from(VALUES), min_size=1, max_size=2)
    form = data.draw(st.dictionaries(st.sampled_from(FIELDS), values, max_size=5))
    form.setdefault(FIELD, [site.token(service)])
    before = site.kept()

    answer = site.open(service, "POST", path, data=form)

    check(answer)
    assert answer.status_code < 400 or site.kept() == before


@pytest.mark.promise(44)
@pytest.mark.parametrize("token", ["", "é", "\ufffe", "\0", "x" * 64, "x" * 10_000])
def test_no_token_breaks_a_page(site, token):
    for service, path in site.pages("POST"):
        answer = site.open(service, "POST", path, data={FIELD: token, "title": "x"})

        check(answer, may_be_taken=False)
        assert answer.status_code == 403


@pytest.mark.promise(44)
@pytest.mark.parametrize("kind", BODIES)
def test_no_body_breaks_a_page(site, kind):
    content_type, body = BODIES[kind]
    before = site.kept()
    for service, path in site.pages("POST"):
        answer = site.open(service, "POST", path, data=body, content_type=content_type)

        check(answer, may_be_taken=False)

    assert site.kept() == before


def imported(site, content):
    form = {FIELD: site.token("tracker"), "file": (io.BytesIO(content), "tasks.csv")}
    return site.open("tracker", "POST", "/tasks/import", data=form)


@pytest.mark.promise(44)
@pytest.mark.parametrize("kind", CSVS)
def test_a_file_that_is_no_table_adds_nothing(site, kind):
    before = site.kept()

    answer = imported(site, CSVS[kind])

    assert answer.status_code == 422
    assert answer.json["fields"]["file"].endswith(".")
    assert site.kept() == before


@pytest.mark.promise(44)
@pytest.mark.parametrize("kind", PART_BAD)
def test_a_row_that_is_no_task_is_named_with_a_reason(site, kind):
    before = tracker.value("SELECT count(*) FROM task")

    answer = imported(site, PART_BAD[kind] + b"Good\n" * (kind != "quotes that never close"))

    check(answer)
    is_refused = answer.status_code == 422 or answer.json["refused"]
    assert is_refused
    added_count = 0 if answer.status_code == 422 else answer.json["added"]
    assert tracker.value("SELECT count(*) FROM task") == before + added_count
    assert added_count <= 1


@pytest.mark.promise(44)
@pytest.mark.parametrize("path", ["/login", "/tasks", "/tasks/import", "/account/reset", "/users"])
def test_a_hundred_megabytes_are_refused_before_they_are_read(site, doors, path):
    """Through the gateway as it runs: the answer comes though nothing of the body was sent."""
    port = doors.ports["gateway"]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: session={site.cookie}\r\n"
    body = "Accept: application/json\r\nContent-Length: 104857600\r\n\r\n"

    answer = talk(port, (head + body).encode())

    assert answer.statuses == [413]
    assert b"too large to be taken." in answer.data
