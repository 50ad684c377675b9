"""Every page of every role, on a desk and on a phone, by day and by night."""

from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import LOOKS, ROLES, Visitors, shoot
from tests.browser.pages import (
    ID,
    actions,
    check,
    check_access,
    crawl,
    kind_of,
    places,
    send,
)

SIGNED_OUT = ("/login", "/account/reset")
# Sent in test_story, where they belong: one ends the session, the other the day.
ELSEWHERE = ("/logout", "/payout-runs", "/account/password")


def shot_name(address: str) -> str:
    path = ID.sub("one", urlsplit(address).path).strip("/").replace("/", "-")
    return path or "home"


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", ROLES)
def test_every_place_of_a_role_is_a_whole_page(visitor: Visitors, name: str, look: str):
    page = visitor(name, **LOOKS[look])

    for address in places(page):
        check(page, address)
        shoot(page, f"{ROLES[name]}-{shot_name(address)}-{look}")


@pytest.mark.parametrize("look", LOOKS)
def test_pages_before_signing_in_are_whole(visitor: Visitors, look: str):
    page = visitor(**LOOKS[look])

    for address in SIGNED_OUT:
        check(page, address)
        if look == "desktop":
            check_access(page, address)
        shoot(page, f"{shot_name(address)}-{look}")


@pytest.fixture(scope="module")
def looked_at() -> set[str]:
    """The kinds of pages that axe has looked at: those of one kind differ by their heads alone."""
    return set()


@pytest.mark.parametrize("name", list(reversed(ROLES)))
def test_no_link_or_form_leads_nowhere(visitor: Visitors, name: str, looked_at: set[str]):
    page = visitor(name, **LOOKS["phone"])

    opened, forms = set(), {}
    for address in crawl(page):
        opened.add(shot_name(address))
        for action in actions(page):
            forms.setdefault(kind_of(action), (address, action))
        if shot_name(address) not in looked_at:
            looked_at.add(shot_name(address))
            check_access(page, address)
            shoot(page, f"{shot_name(address)}-phone")

    assert {"tasks-one", "earnings-why", "earnings-days"} <= opened
    if name == "Fay":
        assert {"analytics", "users-one", "reassignments-one", "payout-runs-one"} <= opened
        assert {"accounting-ledger", "earnings-transfers-one", "mail-preview"} <= opened
    # What changes a task goes before what ends it.
    sent = {
        kind: send(page, *where)
        for kind, where in sorted(forms.items(), key=lambda form: "/edit" not in form[1][0])
        if not kind.startswith(ELSEWHERE)
    }
    assert {kind: status for kind, status in sent.items() if status and status >= 400} == {}
    assert any(sent.values())


def test_a_refusal_is_a_page_with_a_way_back(visitor: Visitors):
    page = visitor("Bob")

    answer = page.goto("/users")

    assert answer
    assert answer.status == 403
    assert page.locator("h1").count() == 1
    shoot(page, "refused-desktop")
    page.get_by_role("link", name="Back to your page").click()
    page.wait_for_url("**/tasks?assignee=me")
    # Chromium itself reports a page that is refused.
    assert len(visitor.complaints) == 1
    visitor.complaints.clear()


def test_a_task_is_added_and_withdrawn_without_script(visitor: Visitors):
    page = visitor("Ann", java_script_enabled=False)

    page.goto("/tasks/new")
    page.get_by_label("Title").fill("<b>Bold</b> & =1+1 \u202etxt")
    page.get_by_role("button", name="Add the task").click()
    assert page.locator("h1").inner_text() == "<b>Bold</b> & =1+1 \u202etxt"
    assert page.locator("main time").first.inner_text().endswith("UTC")
    question = page.locator("details.confirm")
    assert not question.get_by_role("button").is_visible()
    question.locator("summary").click()
    question.get_by_role("button", name="Withdraw").click()

    assert page.locator(".facts .badge").inner_text() == "withdrawn"


def test_fields_that_cannot_be_taken_say_so_and_keep_what_was_typed(visitor: Visitors):
    page = visitor("Ann")
    page.goto("/tasks/new")
    page.get_by_label("Description").fill("Two lines\nof text")
    page.get_by_label("Title").fill(" ")

    page.get_by_role("button", name="Add the task").click()

    title = page.get_by_label("Title")
    assert title.get_attribute("aria-invalid") == "true"
    assert page.get_by_label("Description").input_value() == "Two lines\nof text"
    page.get_by_role("alert").get_by_role("link").first.click()
    assert title.evaluate("field => field === document.activeElement")
    shoot(page, "form-refused-desktop")
    # Chromium itself reports a page that answers 422.
    assert len(visitor.complaints) == 1
    visitor.complaints.clear()
