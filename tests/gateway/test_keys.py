"""The secret key is changed while all runs: nobody is signed out, no form or link is lost."""

import re
from itertools import pairwise

import pytest

from common import clock, links
from common.config import Config
from common.identity import HEADER
from common.service import load
from gateway import invitations
from gateway.app import create_app
from gateway.models import primary
from tests.gateway.conftest import Browser

OLD, NEW = "o" * 64, "n" * 64
# First the new one is known everywhere, then it signs, then the old one goes.
STAGES = [(OLD, ""), (OLD, NEW), (NEW, OLD), (NEW, "")]
STEPS = [*pairwise(STAGES), *((after, before) for before, after in pairwise(STAGES))]


@pytest.fixture
def at(settings, upstream):
    """`at(("key", "key before"))` is the environment with these."""
    names = ("TRACKER_URL", "ACCOUNTING_URL", "ANALYTICS_URL", "MAILER_URL")
    env = {**settings.env, **dict.fromkeys(names, upstream.url)}

    def known(keys):
        signing, other = keys
        both = {"EXCHANGE_SECRET_KEY": signing, "EXCHANGE_SECRET_KEY_PREVIOUS": other}
        return Config({**env, **both})

    return known


def signed(browser, upstream, method):
    """The gateway's word for a request, as a service gets it."""
    browser.open(method, "/tasks")
    return {HEADER: upstream.headers[HEADER]}


@pytest.mark.parametrize(("mine", "theirs"), STEPS)
def test_a_service_one_step_behind_or_ahead_believes_the_gateway(
    at, people, upstream, mine, theirs
):
    bob = Browser(create_app(at(mine)), at(mine))
    bob.sign_in(people.bob.email)
    tracker = load("tracker.app:create_app")(at(theirs)).test_client()

    page = tracker.get("/tasks", headers=signed(bob, upstream, "GET"))
    token = re.search(r'name="csrf_token" value="(\w+)"', page.text)[1]
    form = tracker.post("/tasks", headers=signed(bob, upstream, "POST"), data={"csrf_token": token})

    assert page.status_code == 200
    assert form.status_code == 422  # it was read, and has no title


@pytest.mark.parametrize(("before", "after"), [*pairwise(STAGES)])
def test_what_was_begun_before_a_step_is_ended_after_it(at, people, upstream, before, after):
    bob = Browser(create_app(at(before)), at(before))
    bob.sign_in(people.bob.email)
    with primary.atomic():
        invitations.issue(people.cat.id, "reset", now=clock.now())
    link = primary.row("SELECT purpose, id AS link_id, expires_at FROM link")
    secret = links.token_for(at(before).secret_keys[0], **link)

    bob.http.application = create_app(at(after))
    answers = [
        bob.get("/account"),
        bob.post("/account/sessions/revocation"),
        bob.get(f"/account/reset/{secret}"),
    ]

    assert [answer.status_code for answer in answers] == [200] * 3


def test_without_the_step_between_nobody_is_believed(at, people, upstream):
    bob = Browser(create_app(at(STAGES[0])), at(STAGES[0]))
    bob.sign_in(people.bob.email)
    tracker = load("tracker.app:create_app")(at(STAGES[-1])).test_client()

    answer = tracker.get("/tasks", headers=signed(bob, upstream, "GET"))

    assert answer.status_code == 401
