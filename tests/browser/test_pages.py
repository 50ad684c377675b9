"""Every page of every role, on a desk and on a phone, by day and by night."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import LOOKS, ROLES, Visitors, overflow, shoot

SIGNED_OUT = ("/login",)
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
KINDS_MAX = 2  # as many pages of one kind are opened: two tasks, two people


def places(page: Page) -> list[str]:
    """Where the head of the page leads."""
    links = page.locator("header a").all()
    return [href for link in links if (href := link.get_attribute("href")) and href != "/"]


def check(page: Page, address: str) -> None:
    """The page is there, has one heading, and fits its window."""
    answer = page.goto(address)
    assert answer
    assert answer.status == 200, address
    assert page.locator("h1").count() == 1, address
    assert page.locator("html[lang] > head > title").count() == 1, address
    assert overflow(page) <= 0, f"{address} is wider than its window"


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
        shoot(page, f"{shot_name(address)}-{look}")


@pytest.mark.parametrize("name", ROLES)
def test_no_link_leads_nowhere(visitor: Visitors, name: str):
    page = visitor(name, **LOOKS["phone"])

    opened = {shot_name(address) for address in crawl(page)}

    assert "tasks-one" in opened
    if name == "Fay":
        assert {"analytics", "users-one", "reassignments-one", "payout-runs-one"} <= opened


def crawl(page: Page) -> Iterator[str]:
    """Each page that links lead to, opened; files are asked for."""
    waiting = places(page)
    met: dict[str, int] = {}
    seen = set(waiting)
    while waiting:
        address = waiting.pop()
        if urlsplit(address).path.endswith(".csv"):
            assert page.context.request.get(address).status == 200, address
            continue
        kind = kind_of(address)
        met[kind] = met.get(kind, 0) + 1
        if met[kind] > KINDS_MAX:
            continue
        check(page, address)
        if ID.search(address) and met[kind] == 1:
            shoot(page, f"{shot_name(address)}-phone")
        yield address
        for link in page.evaluate("[...document.links].map(a => a.getAttribute('href'))"):
            if link.startswith("/") and link not in seen:
                seen.add(link)
                waiting.append(link)


def kind_of(address: str) -> str:
    """The address without what differs between things of one kind: ids, and values asked for."""
    parts = urlsplit(address)
    names = sorted(pair.partition("=")[0] for pair in parts.query.split("&"))
    return ID.sub("one", parts.path) + "?" + "&".join(names)


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
