"""What people come for is a few clicks from the page they land on; docs/pages.md has the list."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from common import clock
from gateway.demo import PASSWORD, PEOPLE, email_of
from tests.browser.conftest import DESKTOP, PHONE, Visitors

WAYS: dict[str, dict[str, Any]] = {
    "desk": DESKTOP,
    "phone, Russian, no script": PHONE | {"locale": "ru-RU", "java_script_enabled": False},
}
pytestmark = pytest.mark.parametrize("way", WAYS)
SOON_MS = 30_000
MINE = "/tasks?assignee=me"


def land(visitor: Visitors, name: str, way: str) -> Page:
    """Somebody of the demo company has signed in."""
    page = visitor(**WAYS[way])
    page.goto("/login")
    page.locator("input[name=email]").fill(email_of(name))
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main form button").click()
    page.locator(".self").wait_for()
    return page


def busy(visitor: Visitors) -> str:
    """Somebody of the demo company who has a task to do."""
    page = land(visitor, "Mateo Vargas", "desk")
    names = page.locator("a.person").all_inner_texts()
    return next(name for name in names if dict(PEOPLE).get(name) == "worker")


def click(page: Page, *places: str) -> None:
    """One click for each, on what can be seen and pressed at once."""
    for place in places:
        page.locator(place).first.click()


def test_a_worker_lands_on_tasks_to_do(visitor: Visitors, way: str):
    page = land(visitor, busy(visitor), way)

    expect(page.locator('main form[action$="/completion"] button').first).to_be_in_viewport()


def test_the_way_back_to_ones_tasks_is_one_click(visitor: Visitors, way: str):
    page = land(visitor, "Ingrid Solberg", way)

    click(page, 'header a[href^="/tasks"]')

    expect(page.locator('.tabs [aria-current="page"]')).to_have_attribute("href", MINE)


def test_a_task_is_finished_by_one_click(visitor: Visitors, way: str):
    page = land(visitor, busy(visitor), way)
    title = page.locator("table.data tbody th a").first.inner_text()

    click(page, 'form[action$="/completion"] button')

    expect(page.get_by_role("status")).to_contain_text(title)


def test_a_balance_is_explained_by_two(visitor: Visitors, way: str):
    page = land(visitor, "Emeka Nwosu", way)

    click(page, 'header a[href="/earnings"]')
    shown = page.locator(".stat .value").first.inner_text()
    click(page, 'a[href="/earnings/why"]')

    expect(page.locator(".sums tfoot .num")).to_have_text(shown)


def test_all_tasks_are_reassigned_by_two(visitor: Visitors, way: str):
    page = land(visitor, "Mateo Vargas", way)

    click(page, 'main a[href="/reassignments/new"]', 'form[action="/reassignments"] button')

    page.wait_for_url(re.compile(r"/reassignments/[0-9a-f-]{36}"))
    expect(page.locator(".badge.good")).to_be_visible(timeout=SOON_MS)


def test_closing_the_day_is_asked_by_one_and_says_what_it_pays(visitor: Visitors, way: str):
    page = land(visitor, "Ingrid Solberg", way)
    paid = page.locator(".stat .value").first.inner_text()

    click(page, "summary.primary")

    # Another click would close it: a day is closed in the story.
    expect(page.locator(".confirm[open] form button")).to_contain_text(paid)


@pytest.mark.parametrize(("who", "clicks"), [("Ada Okonkwo", 0), ("Ingrid Solberg", 1)])
def test_last_tuesday_is_found_by_one_at_most(visitor: Visitors, way: str, who: str, clicks: int):
    page = land(visitor, who, way)
    today = clock.now().date()
    tuesday = today - timedelta(days=(today.weekday() - 1) % 7 or 7)

    click(page, *['header a[href="/accounting"]'] * clicks)

    day = page.locator("table.data").last.locator(
        "tbody th", has_text=re.compile(rf"\b0?{tuesday.day}\s")
    )
    expect(day.locator("xpath=..").locator(".money").first).to_be_visible()
