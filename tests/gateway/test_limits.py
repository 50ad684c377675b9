"""Guessing passwords is stopped, whatever else is down, and those who know theirs get in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import perf_counter

import pytest

from common import clock
from common.config import Config
from gateway import actions, invitations, limits, passwords
from gateway.app import create_app
from gateway.headers import client_address
from gateway.limits import Limits, TooMany
from gateway.models import primary
from tests.gateway.conftest import ANONYMOUS, PASSWORD, Browser

NEW = "battery staple"


@pytest.fixture
def checks(monkeypatch):
    """Each time somebody's password was looked at."""
    seen = []
    real = passwords.fits
    monkeypatch.setattr(passwords, "fits", lambda *words: seen.append(1) or real(*words))
    return seen


def with_settings(settings, upstream, **changes):
    names = ("TRACKER_URL", "ACCOUNTING_URL", "ANALYTICS_URL", "MAILER_URL")
    env = {**settings.env, **dict.fromkeys(names, upstream.url), **changes}
    return Browser(create_app(Config(env)), settings)


def guess(browser, email, password="wrong", **more):
    return browser.post("/login", {"email": email, "password": password}, **more)


def ready(browser):
    browser.csrf = browser.get("/login").json["csrf_token"]
    return browser


@pytest.mark.promise(38)
@pytest.mark.parametrize("bus", ["up", "down"])
@pytest.mark.parametrize("email", ["bob@example.com", "nobody@example.com"])
def test_of_a_thousand_guesses_ten_are_looked_at(settings, upstream, people, checks, bus, email):
    dead = {"BUS_URL": "redis://127.0.0.1:1/0", "QUEUE_URL": "redis://127.0.0.1:1/1"}
    thief = ready(with_settings(settings, upstream, **(dead if bus == "down" else {})))

    answers = [guess(thief, email) for _ in range(999)]
    last = guess(thief, email, PASSWORD)

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 989
    assert len(checks) == 10
    assert (last.status_code, "please wait" in last.json["error"]) == (429, True)
    assert 0 < int(last.headers["Retry-After"]) <= 900
    assert primary.value("SELECT count(*) FROM session") == 0


@pytest.mark.promise(38)
def test_a_thousand_at_once_are_no_way_around(people, checks):
    limit, now = Limits(account=10, address=1000), clock.now()

    def attempt(number):
        try:
            facts = {**ANONYMOUS, "limit": limit, "address": f"192.0.2.{number % 250}"}
            return actions.sign_in("bob@example.com", "wrong", now=now, **facts)
        except TooMany:
            return "refused"
        finally:
            primary.close_quietly()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(200)))

    assert (outcomes.count("refused"), len(checks)) == (190, 10)


@pytest.mark.promise(38)
def test_the_answer_and_its_time_are_the_same_for_unknown_people(browser, people):
    def tried(email):
        start = perf_counter()
        answer = guess(thief, email)
        return perf_counter() - start, answer.status_code, answer.json

    thief = ready(browser())
    pairs = [(tried("bob@example.com"), tried("nobody@example.com")) for _ in range(9)]

    known, unknown = zip(*pairs, strict=True)
    assert len({str(answer[1:]) for answer in known + unknown}) == 1
    assert 0.5 < min(t for t, *_ in known) / min(t for t, *_ in unknown) < 2


@pytest.mark.promise(38)
def test_an_address_has_fifty_guesses_whoever_they_are_about(browser, people, checks):
    thief = ready(browser())

    answers = [guess(thief, f"user{number}@example.com") for number in range(60)]

    assert [answer.status_code for answer in answers] == [401] * 50 + [429] * 10
    assert len(checks) == 50
    assert primary.value("SELECT count(*) FROM guess") == 51


def test_other_people_at_other_addresses_are_not_locked_out(browser, people):
    thief, cat = ready(browser()), browser()
    for _ in range(20):
        guess(thief, "bob@example.com")

    assert cat.sign_in("cat@example.com").status_code == 200


def test_who_knows_the_password_starts_afresh(browser, people):
    bob = browser()
    for _ in range(3):
        ready(bob)
        assert [guess(bob, "bob@example.com").status_code for _ in range(9)] == [401] * 9
        assert bob.sign_in("bob@example.com").status_code == 200


def test_signing_in_uses_nothing_up(browser, people):
    answers = [browser().sign_in("bob@example.com") for _ in range(55)]

    assert {answer.status_code for answer in answers} == {200}
    assert primary.value("SELECT max(tries) FROM guess") == 0


@pytest.mark.parametrize(("minutes", "status"), [(14, 429), (16, 200)])
def test_after_a_quarter_of_an_hour_one_may_try_again(browser, people, minutes, status):
    bob, start = browser(), clock.now()
    with clock.hold(start):
        ready(bob)
        for _ in range(12):
            guess(bob, "bob@example.com")

    with clock.hold(start + timedelta(minutes=minutes)):
        answer = bob.sign_in("bob@example.com")

    assert answer.status_code == status


def test_old_counts_are_removed(people):
    limit, start = Limits(account=10, address=10), clock.now()
    for number in range(5):
        limit.take("sign-in", f"{number}@example.com", f"192.0.2.{number}", now=start)

    limit.take("sign-in", "a@b", "192.0.2.9", now=start + timedelta(minutes=16))

    assert primary.value("SELECT count(*) FROM guess") == 2


def test_the_limits_are_set_by_the_environment(settings, upstream, people):
    changes = {"EXCHANGE_LOGIN_FAILURES_ACCOUNT": "2", "EXCHANGE_LOGIN_FAILURES_ADDRESS": "3"}
    thief = ready(with_settings(settings, upstream, **changes))

    answers = [guess(thief, email) for email in ("a@b", "a@b", "a@b", "c@d")]

    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]


def test_the_page_says_it_in_a_sentence(browser, people):
    thief = ready(browser())
    for _ in range(10):
        guess(thief, "bob@example.com")

    answer = guess(thief, "bob@example.com", html=True)

    assert answer.status_code == 429
    assert "That was tried too often; please wait 15 minutes" in answer.text


def test_that_guessing_was_stopped_is_noted_once(browser, people):
    thief = ready(browser())
    for _ in range(30):
        guess(thief, "bob@example.com")

    rows = primary.rows("SELECT what, object FROM audit")

    noted = [row["object"] for row in rows if row["what"] == "guessing.stopped"]
    assert noted == ["bob@example.com"]
    assert len(rows) == 11


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/account/password", {"current": "wrong", "password": NEW}),
        ("/account/confirmation", {"password": "wrong"}),
    ],
)
def test_a_found_session_guesses_no_password(as_person, people, checks, path, fields):
    bob = as_person(people.bob)
    checks.clear()

    answers = [bob.post(path, fields) for _ in range(12)]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429] * 2
    assert len(checks) == 10


def test_a_link_lets_in_whom_guessing_locked_out(browser, people):
    thief, bob, now = ready(browser()), browser(), clock.now()
    for _ in range(11):
        guess(thief, "bob@example.com")
    with primary.atomic():
        invitations.issue(people.bob.id, "reset", now=now)
    link = primary.row("SELECT * FROM link")

    invitations.choose_password({**link, "email": people.bob.email}, NEW)

    assert bob.sign_in("bob@example.com", NEW).status_code == 200


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
    ],
)
def test_an_address_stands_for_its_subscriber(address, network):
    assert limits.network_of(address) == network


@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (0, "192.0.2.7", "10.0.0.1"),
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        (2, "6.6.6.6, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (2, "192.0.2.7", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "<script>", "10.0.0.1"),
        (1, "2001:DB8::1", "2001:db8::1"),
    ],
)
def test_an_address_is_believed_from_as_many_proxies_as_are_ours(proxies, told, address):
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": told}

    assert client_address(environ, proxies) == address


@pytest.mark.parametrize(("proxies", "status"), [("0", 429), ("1", 200)])
def test_a_header_of_the_clients_own_counts_only_behind_our_proxy(
    settings, upstream, people, proxies, status
):
    browser = with_settings(settings, upstream, GATEWAY_TRUSTED_PROXIES=proxies)
    ready(browser)
    for number in range(51):
        guess(browser, f"{number}@b", headers={"X-Forwarded-For": "192.0.2.1"})

    browser.csrf = browser.get("/login").json["csrf_token"]
    form = {"email": "bob@example.com", "password": PASSWORD}
    answer = browser.post("/login", form, headers={"X-Forwarded-For": "192.0.2.2"})

    assert answer.status_code == status
