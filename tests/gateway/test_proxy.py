"""What passes the gateway, in which shape, and what people see when a service is away."""

import io
import re
import time
from dataclasses import replace
from urllib.parse import unquote

import pytest

from common.config import Config
from common.identity import Signer
from gateway.app import create_app
from gateway.headers import Door
from gateway.models import primary
from tests.gateway.conftest import Browser, reply


@pytest.fixture
def bob(as_person, people):
    return as_person(people.bob)


def test_a_request_arrives_with_the_callers_identity_for_exactly_it(
    bob, people, upstream, settings
):
    answer = bob.get("/tasks/7/completion?q=%C3%BC&x=a%20b")

    method, target, headers, _ = upstream.asked[-1]
    identity = Signer(settings.secret_keys).read(
        headers["X-Exchange-Identity"], "tracker", "GET", "/tasks/7/completion"
    )
    session = primary.row("SELECT id FROM session")
    assert (answer.status_code, answer.text) == (200, "hi")
    assert (method, target) == ("GET", "/tasks/7/completion?q=%C3%BC&x=a%20b")
    assert (identity.user_id, identity.name, identity.role) == (people.bob.id, "Bob", "worker")
    assert identity.session_id == session["id"]
    assert identity.request_id == headers["X-Request-Id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("path", "audience"),
    [
        ("/tasks", "tracker"),
        ("/tasks.csv", "tracker"),
        ("/reassignments/new", "tracker"),
        ("/payout-runs.csv", "accounting"),
        ("/earnings", "analytics"),
        ("/accounting.csv", "analytics"),
        ("/analytics", "analytics"),
        ("/events", "analytics"),
        ("/events/accounting/dead/1/redrive", "accounting"),
        ("/events/mailer/dead/1/redrive", "mailer"),
        ("/mail", "mailer"),
    ],
)
def test_every_path_has_its_owner(bob, upstream, settings, path, audience):
    bob.get(path)

    token = upstream.headers["X-Exchange-Identity"]
    assert Signer(settings.secret_keys).read(token, audience, "GET", path)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/tasksx", "/events/gateway/dead/1", "/events/x/y", "/audit/x", "/Tasks"]
)
def test_a_path_of_nobody_is_not_there(bob, upstream, path):
    as_json, as_page = bob.get(path), bob.get(path, html=True)

    assert (as_json.status_code, as_page.status_code) == (404, 404)
    assert as_json.json["error"] in as_page.text
    assert "Sign out" in as_page.text
    assert upstream.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/tasks/../payout-runs",
        "/tasks/%2e%2e/payout-runs",
        "/tasks/%2E./payout-runs",
        "/tasks/./x",
        "/tasks/..",
        "//tasks",
        "/tasks//x",
        "/tasks/%2fx",
        "/tasks%2Fx",
        "/tasks\\x",
        "/tasks%5cx",
        "/tasks/%252e%252e/x",
        "/tasks/%00",
        "/tasks/%0d%0aX-Evil:1",
        "/tasks/%7f",
    ],
)
def test_a_path_with_two_readings_is_refused(bob, upstream, path):
    answer = bob.http.get(
        "/",
        base_url=bob.base,
        headers={"Accept": "application/json"},
        environ_overrides={
            "PATH_INFO": unquote(path, "latin-1"),
            "RAW_URI": path,
            "REQUEST_URI": path,
        },
    )

    assert answer.status_code == 400
    assert upstream.asked == []


def test_only_named_headers_go_up(bob, upstream):
    sent = {
        "Accept-Language": "de",
        "If-None-Match": '"x"',
        "Authorization": "Basic x",
        "Range": "bytes=0-1",
        "X-Forwarded-For": "1.2.3.4",
        "X-Exchange-Identity": "forged",
        "X-Exchange-Read-Only": "1",
        "Script-Name": "/evil",
        "traceparent": f"00-{'1' * 32}-{'2' * 16}-01",
        "Connection": "keep-alive, X-Request-Id",
    }
    bob.http.set_cookie("flash", "abc", domain="127.0.0.1")
    bob.http.set_cookie("other", "abc", domain="127.0.0.1")

    bob.get("/tasks", headers=sent)

    names = set(upstream.headers)
    assert names == {
        "Host",
        "Accept",
        "Accept-Language",
        "If-None-Match",
        "User-Agent",
        "Cookie",
        "X-Request-Id",
        "traceparent",
        "X-Exchange-Identity",
    }
    assert upstream.headers["Cookie"] == "flash=abc"
    assert upstream.headers["traceparent"] == sent["traceparent"]
    assert upstream.headers["X-Exchange-Identity"] != "forged"


def test_a_request_without_a_good_trace_gets_one(bob, upstream):
    bob.get("/tasks", headers={"traceparent": "nonsense"})

    trace, request_id = upstream.headers["traceparent"], upstream.headers["X-Request-Id"]
    assert re.fullmatch(rf"00-{request_id}-[0-9a-f]{{16}}-01", trace)


def test_only_harmless_headers_come_down(bob, upstream):
    upstream.answer = lambda handler: reply(
        handler,
        ("Set-Cookie", "flash=hello; Path=/"),
        ("Set-Cookie", "session=stolen; Path=/"),
        ("X-Exchange-Secret", "x"),
        ("Location", "https://evil.example/"),
        ("Keep-Alive", "timeout=5"),
        ("Content-Security-Policy", "default-src *"),
        ("Cache-Control", "public"),
        ("ETag", '"1"'),
        ("Content-Type", "text/html"),
    )

    answer = bob.get("/tasks")

    assert answer.headers.getlist("Set-Cookie") == ["flash=hello; Path=/"]
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    dropped = ("X-Exchange-Secret", "Location", "Keep-Alive", "Server", "Date")
    assert not [name for name in dropped if name in answer.headers]


def test_a_redirect_is_passed_on_and_not_followed(bob, upstream):
    upstream.answer = lambda handler: reply(handler, ("Location", "/tasks/1"), status=303)

    answer = bob.post("/tasks", {"title": "x"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/tasks/1")
    assert len(upstream.asked) == 1


def test_a_form_arrives_as_it_was_sent(bob, upstream):
    bob.post("/tasks", {"title": "Grüße & more"})

    method, target, headers, body = upstream.asked[-1]
    assert (method, target) == ("POST", "/tasks")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert b"title=Gr%C3%BC%C3%9Fe+%26+more" in body


def test_a_large_upload_is_streamed_and_a_larger_one_refused(as_person, people, upstream):
    ann = as_person(people.ann)

    large = ann.open("POST", "/tasks/import", data=b"x" * (20 * 1024 * 1024))
    larger = ann.open("POST", "/tasks/import", data=b"x" * (22 * 1024 * 1024))

    assert (large.status_code, larger.status_code) == (200, 413)
    assert [len(body) for *_, body in upstream.asked] == [20 * 1024 * 1024]


class Unread(io.BytesIO):
    """A body that nobody may wait for."""

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("somebody read it")


@pytest.mark.parametrize(("path", "status"), [("/tasks", 413), ("/tasks/import", 403)])
def test_nobody_waits_for_what_is_refused_anyway(bob, upstream, path, status):
    sent = {"input_stream": Unread(), "environ_overrides": {"CONTENT_LENGTH": "200000"}}

    answer = bob.open("POST", path, **sent)

    assert answer.status_code == status
    assert upstream.asked == []


def test_a_long_answer_comes_in_chunks(bob, upstream):
    def chunks(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for number in range(3):
            text = f"line {number}\n".encode()
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            handler.wfile.flush()
            time.sleep(0.05)
        handler.wfile.write(b"0\r\n\r\n")

    upstream.answer = chunks

    answer = bob.get("/tasks.csv", buffered=False)

    assert list(answer.iter_encoded()) == [b"line 0\n", b"line 1\n", b"line 2\n"]
    assert bob.get("/tasks.csv").text == "line 0\nline 1\nline 2\n"


def test_an_answer_that_breaks_off_does_not_look_whole(bob, upstream):
    def broken(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"x" * 70_000)
        handler.close_connection = True

    upstream.answer = broken

    answer = bob.get("/tasks", buffered=False)

    with pytest.raises(OSError):
        list(answer.iter_encoded())


def writing(handler):
    reply(handler, ("X-Exchange-Lsn", "tracker=0/16B3748"))


def after_of(upstream, settings, method="GET"):
    token = upstream.headers["X-Exchange-Identity"]
    return Signer(settings.secret_keys).read(token, "tracker", method, "/tasks").after


def test_readers_must_show_what_the_caller_wrote_before(bob, upstream, settings):
    upstream.answer = writing

    written = bob.post("/tasks")
    bob.post("/account/sessions/revocation")
    bob.get("/tasks")

    after = after_of(upstream, settings)
    assert "X-Exchange-Lsn" not in written.headers
    assert after["tracker"] == "0/16B3748"
    assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", after["gateway"])


def test_what_was_seen_cannot_be_made_up(bob, upstream, settings):
    bob.http.set_cookie("seen", "tracker=F/FFFFFFFF.aaaa.bbbb", domain="127.0.0.1")

    bob.get("/tasks")

    assert after_of(upstream, settings) == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
def test_forms_of_other_sites_are_refused(bob, upstream, headers, status):
    answer = bob.post("/tasks", headers=headers)

    assert answer.status_code == status
    assert len(upstream.asked) == (status == 200)
    assert bob.get("/tasks", headers=headers).status_code == 200


def test_our_own_origin_is_allowed(bob, settings):
    assert bob.post("/tasks", headers={"Origin": settings.public_url}).status_code == 200
    assert bob.post("/login", headers={"Origin": "https://x.example"}).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_taken(bob, upstream, method):
    assert bob.open(method, "/tasks").status_code == 405
    assert upstream.asked == []


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example", "[", "localhost@x"])
def test_only_our_own_hosts_are_answered(bob, upstream, host):
    answer = bob.get("/tasks", headers={"Host": host})

    assert answer.status_code == 400
    assert upstream.asked == []


def test_without_a_session_nothing_is_forwarded(browser, people, upstream):
    nobody = browser()

    as_json = nobody.get("/tasks")
    as_page = nobody.get("/tasks?q=a&status=open", html=True)
    posted = nobody.post("/tasks", {"title": "x"}, html=True)

    assert (as_json.status_code, list(as_json.json)) == (401, ["error"])
    assert as_page.status_code == 303
    assert as_page.headers["Location"] == "/login?next=/tasks%3Fq%3Da%26status%3Dopen"
    assert posted.headers["Location"] == "/login?next=/"
    assert upstream.asked == []


def test_every_answer_is_guarded(bob, browser, people, settings):
    paths = ["/tasks", "/account", "/nowhere", "/healthz", "/static/app.css", "/login"]

    answers = [bob.get(path) for path in paths]

    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in answer.headers


def test_files_with_a_fingerprint_are_kept_for_ever(bob):
    page = bob.get("/account", html=True).text
    address = re.search(r'href="(/static/app\.css\?v=\w+)"', page).group(1)

    answer = bob.get(address)

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path", ["/static/app.css?v=000000000000", "/static/nowhere.css?v=1", "/static/?v=1"]
)
def test_nothing_else_under_such_an_address_is_kept(bob, path):
    answer = bob.get(path)

    assert answer.headers["Cache-Control"] == "no-store"


def test_on_https_cookies_are_bound_to_the_host(people, settings, upstream):
    names = ("TRACKER_URL", "ACCOUNTING_URL", "ANALYTICS_URL", "MAILER_URL")
    env = {**settings.env, **dict.fromkeys(names, upstream.url)}
    secure = replace(settings, env={**env, "EXCHANGE_URL": "https://tasks.example"})
    bob = Browser(create_app(Config(secure.env)), secure)

    answer = bob.sign_in(people.bob.email)

    cookie = answer.headers.getlist("Set-Cookie")[0]
    assert cookie.startswith("__Host-session=")
    assert "; Secure" in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert bob.get("/account").status_code == 200
    upstream.answer = lambda handler: reply(handler, ("Set-Cookie", "flash=x; Path=/"))
    assert bob.get("/tasks").headers["Set-Cookie"] == "flash=x; Path=/; Secure"


def test_the_door_knows_its_names(settings):
    door = Door(settings)

    assert (door.session, door.login, door.seen) == ("session", "login", "seen")
