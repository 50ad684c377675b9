"""What people type is shown as they typed it, and is never more than text."""

import csv
import email
import email.policy
import io
import re
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Stack, Visitors
from tests.browser.test_story import eventually

RUN = "document.title='RAN'"
TEXTS = {
    "script": f"<script>{RUN}</script>",
    "picture": f"<img src=x onerror={RUN}>",
    "quotes": f'" autofocus onfocus="{RUN}" x=\'',
    "end of an element": f"</textarea></title></main><svg onload={RUN}>",
    "address": f"javascript:{RUN}",
    "template": "{{7*7}} ${7*7} {% raw %} %(name)s %s {0}",
    "SQL": "'; DROP TABLE task; --",
    "entities": "&lt;b&gt; &amp;amp; &#39;",
    "formula": '=HYPERLINK("https://evil.example","here")',
    "plus": "+1+1",
    "minus": "-2+3",
    "at": "@SUM(A1:A9)",
    "apostrophe": "'=1+1",
    "right to left": "abc\u202egnp.exe\u202c",
    "no width": "ad\u200bmin\u2060",
    "emoji": "👩‍👩‍👧‍👦 🏴‍☠️ é e\u0301",
    "long": "W" * 100,
}
MARKUP = list(TEXTS.values())[:6]
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
ELSEWHERE = ("https://evil.example/", "//evil.example/", "/\\evil.example", f"javascript:{RUN}",
             "/\t/evil.example", "\x01https://evil.example", "data:text/html,x")  # fmt: skip


@pytest.fixture(scope="module")
def tasks() -> dict[str, str]:
    """`{title: address}` of those added so far: the stack outlives a test."""
    return {}


@pytest.fixture
def fay(visitor: Visitors, tasks: dict[str, str]) -> Iterator[Page]:
    """Fay's page, in a company where every text was typed into every field."""
    page = visitor("Fay")
    page.on("dialog", lambda dialog: visitor.complaints.append(f"dialog: {dialog.message}"))
    if not tasks:
        fill_in(page, tasks)
    yield page
    # Chromium reports pages that are refused and dates that are none, which some of these are.
    expected = re.compile(r"the server responded with a status of 4\d\d|does not conform to the")
    visitor.complaints[:] = [each for each in visitor.complaints if not expected.search(each)]


def fill_in(page: Page, tasks: dict[str, str]) -> None:
    page.goto("/tasks")
    for number, text in enumerate(TEXTS.values()):
        form = {"title": text, "description": f"{text}\n{text}"}
        task = post(page, "/tasks", {**form, "form_key": f"{text}{number}"})
        tasks[text] = f"/tasks/{task['id']}"
        name = {"name": text, "email": f"typed{number}@example.com", "role": "worker"}
        post(page, "/users", name)


def post(page: Page, path: str, form: dict[str, str]) -> Any:
    token = page.locator("input[name=csrf_token]").first.input_value()
    headers = {"Accept": "application/json"}
    answer = page.request.post(path, form={"csrf_token": token, **form}, headers=headers)
    assert answer.ok, (path, form, answer.text())
    return answer.json()


def check(page: Page, address: str) -> None:
    """Nothing on the page came from what was typed but text."""
    page.goto(address)
    assert "RAN" not in page.title() or "document.title" in page.title()
    assert page.locator("script:not([src]), svg[onload], [onfocus], img[src=x]").count() == 0
    links = page.evaluate("[...document.links].map(link => link.protocol)")
    assert set(links) <= {"http:"}, address


@pytest.mark.promise(43)
def test_titles_and_descriptions_are_shown_as_typed(fay: Page, tasks: dict[str, str]):
    for text, address in tasks.items():
        check(fay, address)
        assert fay.locator("h1").text_content() == text
        assert text in (fay.locator("main").text_content() or "")

        check(fay, f"{address}/edit")
        assert fay.get_by_label("Title").input_value() == text
        assert fay.get_by_label("Description").input_value() == f"{text}\n{text}"


@pytest.mark.promise(43)
def test_lists_show_them_as_typed(fay: Page, tasks: dict[str, str]):
    check(fay, "/tasks?status=all")
    shown = fay.locator("table.data th a").all_text_contents()
    check(fay, "/users?q=typed")
    named = fay.locator("table.data th a").all_text_contents()

    assert set(TEXTS.values()) <= set(shown)
    assert set(TEXTS.values()) <= set(named)


@pytest.mark.promise(43)
@pytest.mark.parametrize(
    "page", ["/audit", "/analytics", "/accounting", "/accounting/ledger", "/earnings/people",
             "/mail", "/events", "/reassignments", "/reassignments/new", "/payout-runs"]
)  # fmt: skip
def test_no_page_makes_more_of_it(fay: Page, page: str):
    check(fay, page)


@pytest.mark.promise(43)
def test_what_is_asked_for_is_shown_as_typed(fay: Page):
    text = " ".join(MARKUP[:4])  # a search takes ten words
    for path in ("/tasks", "/users", "/audit", "/earnings/people"):
        check(fay, f"{path}?q={quote(text)}")
        assert fay.locator("input[name=q]").input_value() == text
    for address in ("/tasks?status=", "/tasks?assignee=", "/tasks?cursor=", "/analytics?since=",
                    "/account/confirmation?next=", "/nowhere/"):  # fmt: skip
        check(fay, address + quote(text).replace("/", ""))


@pytest.mark.promise(43)
def test_a_refused_form_shows_them_as_typed(fay: Page):
    for text in MARKUP:
        fay.goto("/tasks/new")
        fay.get_by_label("Title").fill(text)
        fay.get_by_label("Key").fill("no key")
        fay.get_by_role("button", name="Add the task").click()

        assert fay.get_by_label("Title").input_value() == text
        assert fay.title() != "RAN"


@pytest.mark.promise(43)
def test_no_address_to_come_back_to_leads_elsewhere(visitor: Visitors, stack: Stack):
    page = visitor()
    for wanted in ELSEWHERE:
        page.context.clear_cookies()
        page.goto(f"/login?next={quote(wanted)}")
        page.get_by_label("E-mail").fill("bob@example.com")
        page.get_by_label("Password").fill("a long enough pass phrase")
        page.get_by_role("button", name="Sign in").click()

        page.get_by_role("button", name="Sign out").wait_for()
        assert page.url.startswith(f"{stack.url}/"), wanted


@pytest.mark.promise(43)
def test_no_cell_of_a_table_is_a_formula(fay: Page, tasks: dict[str, str]):
    for address, column in (("/tasks.csv?status=all", "title"), ("/users.csv?q=typed", "name")):
        text = fay.request.get(address).text()
        rows = list(csv.DictReader(io.StringIO(text, newline="")))

        assert not [cell for row in rows for cell in row.values() if is_formula(cell)]
        cells = {row[column] for row in rows}
        assert {guarded(text) for text in TEXTS.values()} <= cells
    audit = csv.reader(io.StringIO(fay.request.get("/audit.csv").text(), newline=""))
    assert not [cell for row in audit for cell in row if is_formula(cell)]


def is_formula(cell: str) -> bool:
    return cell.startswith(FORMULA_SIGNS) and not re.fullmatch(r"-?\d+", cell)


def guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


@pytest.mark.promise(43)
def test_letters_say_it_as_typed_and_nothing_else(fay: Page, visitor: Visitors, stack: Stack):
    reader = visitor()
    wanted = {f"typed{number}@example.com": text for number, text in enumerate(TEXTS.values())}
    eventually(lambda: set(wanted) <= set(letters(stack)), "a letter to everybody invited")
    found = {address: mail for address, mail in letters(stack).items() if address in wanted}

    headers = {frozenset(name.lower() for name in dict(mail)) for mail in found.values()}
    assert len(headers) == 1
    for address, mail in found.items():
        plain, page = (mail.get_body((kind,)) for kind in ("plain", "html"))
        assert plain
        assert page
        assert wanted[address] in plain.get_content()
        reader.set_content(page.get_content())
        assert wanted[address] in (reader.locator("body").text_content() or "")
        assert reader.title() != "RAN"
        assert reader.locator("script, img[src=x], svg[onload], [onfocus]").count() == 0


def letters(stack: Stack) -> dict[str, EmailMessage]:
    """`{address: its last letter}`."""
    mails = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in stack.mails()
    ]
    return {str(mail["To"].addresses[0].addr_spec): mail for mail in mails}
