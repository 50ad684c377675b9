"""A day at the company, as its people see it: from a file of tasks to a mail about money."""

import email
import email.policy
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import DARK, PHONE, Stack, Visitors, shoot

TASKS = 150  # so many that Bob, one of fifteen, has some
PAGE = 25
SOON_S = 30


def test_from_a_file_of_tasks_to_a_mail_about_money(
    visitor: Visitors, stack: Stack, tmp_path: Path
):
    ann, bob = visitor("Ann"), visitor("Bob", **PHONE)
    dan, fay = visitor("Dan"), visitor("Fay", **DARK)

    import_tasks(ann, tmp_path / "tasks.csv")
    complete_first(bob)
    complete_all(bob)
    reassign_all(ann)
    complete_all(bob)
    eventually(lambda: balance(bob) > 0, "a balance above zero")
    explain_balance(bob)
    amount = close_day(dan)

    text = eventually(lambda: paid_mail(stack, "bob@example.com"), "a mail to Bob")
    assert amount in plain(text)
    look_at_yesterday(fay)


def import_tasks(page: Page, file: Path) -> None:
    """The manager gives a file and sees every good row dealt to somebody."""
    rows = [f"[STORY-{number}] - Boiler house {number}" for number in range(1, TASKS + 1)]
    file.write_text("\n".join(["title", *rows, "x" * 201]) + "\n")
    page.goto("/tasks")
    page.get_by_role("link", name="Import").click()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator(".stat", has_text="Tasks it would add")).to_contain_text(str(TASKS))
    shoot(page, "import-tried-desktop")
    page.get_by_role("button", name="Import").click()

    expect(page.locator(".stat", has_text="Added")).to_contain_text(str(TASKS))
    expect(page.locator("table.data tbody tr")).to_have_count(1)
    shoot(page, "import-report-desktop")
    page.goto("/tasks?q=boiler+house")
    rows_shown = page.locator("table.data tbody tr")
    expect(rows_shown).to_have_count(PAGE)
    expect(page.locator(".pager")).to_contain_text(f"{TASKS} in all")
    assert all(row.locator("a.person").inner_text() for row in rows_shown.all())


def complete_first(page: Page) -> None:
    """The worker finishes a task and sees its fee and its reward in the statement."""
    page.goto("/")
    row = page.locator("table.data tbody tr").filter(has=page.get_by_role("button")).first
    title = row.locator("th a").inner_text()
    row.get_by_role("button", name="Complete").click()
    expect(page.get_by_role("status")).to_contain_text(title)

    page.get_by_role("link", name="My earnings").click()
    lines = page.locator("table.data tbody tr", has_text=title)
    eventually(lambda: lines.count() >= 2, "fee and reward", again=page.reload)
    amounts = [text for line in lines.all() for text in re.findall(MONEY, plain(line.inner_text()))]
    assert any(text.startswith("−") for text in amounts)
    assert any(not text.startswith("−") for text in amounts)
    shoot(page, "statement-phone")


def reassign_all(page: Page) -> None:
    """The manager sees what it costs, confirms, and watches it end without touching the page."""
    page.goto("/reassignments")
    page.get_by_role("link", name="Reassign all open tasks").click()
    expect(page.locator(".stat", has_text="Fees")).to_contain_text(re.compile(MONEY))
    shoot(page, "reassignment-preview-desktop")
    page.get_by_role("button", name=re.compile(r"Reassign [\d,]+ tasks?")).click()
    page.wait_for_url(re.compile(r"/reassignments/[0-9a-f-]{36}"))

    expect(page.locator(".badge").first).to_have_text("done", timeout=SOON_S * 1000)
    expect(page.locator("progress")).to_have_js_property("position", 1)
    page.get_by_role("link", name="Draw every deal").click()
    expect(page.get_by_text("deals agree")).to_be_visible()
    shoot(page, "reassignment-desktop")


def complete_all(page: Page) -> None:
    """The worker has finished whatever was dealt to him: no reward is below a fee."""
    page.goto("/tasks?assignee=me")
    buttons = page.get_by_role("button", name="Complete")
    while buttons.count():
        with page.expect_navigation():
            buttons.first.click()


def balance(page: Page) -> float:
    page.goto("/earnings")
    found = re.search(MONEY, plain(page.locator(".stat", has_text="Balance").inner_text()))
    assert found
    return float(found.group().removesuffix(" EUR").replace(",", "").replace("−", "-"))


def explain_balance(page: Page) -> None:
    """The worker asks why the balance is what it is, and then why the last transfer was made."""
    shown = page.locator(".stat", has_text="Balance").locator(".value").inner_text()
    page.get_by_role("link", name="Why is it this?").click()
    expect(page.locator(".sums tfoot .num")).to_have_text(shown)
    expect(page.locator("table.data tbody tr td.num").last).to_be_visible()
    page.locator("table.data tbody th a").first.click()
    expect(page.get_by_role("heading", name="The rule")).to_be_visible()
    expect(page.get_by_text("drawn again: it agrees").first).to_be_visible()
    shoot(page, "transfer-phone")


def look_at_yesterday(page: Page) -> None:
    """The admin finds what the company made yesterday, and the transfers that it is the sum of."""
    page.goto("/analytics")
    page.get_by_role("link", name="Yesterday", exact=True).click()
    row = page.locator("table.data").last.locator("tbody tr")
    expect(row).to_have_count(1)
    made = row.locator(".money").first
    text = made.inner_text()
    made.click()
    expect(page.locator("main strong .money")).to_have_text(text)
    shoot(page, "ledger-dark")


def close_day(page: Page) -> str:
    """The accountant closes the day and sees Bob paid and written to; the amount, as shown."""
    page.goto("/payout-runs")
    page.locator("summary", has_text="Close").click()
    shoot(page, "payout-question-desktop")
    page.locator("details[open]").get_by_role("button").click()
    page.wait_for_url(re.compile(r"/payout-runs/[0-9a-f-]{36}"))

    expect(page.locator(".badge").first).to_have_text("done", timeout=SOON_S * 1000)
    row = page.locator("table.data tbody tr", has_text="Bob")
    eventually(lambda: "sent" in row.inner_text(), "a letter sent", again=page.reload)
    shoot(page, "payout-run-desktop")
    found = re.search(MONEY, plain(row.inner_text()))
    assert found
    return found.group()


MONEY = r"−?[\d,]+\.\d\d\sEUR"


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def paid_mail(stack: Stack, address: str) -> str:
    """The text of the first mail to the address, or nothing yet."""
    for file in stack.mails():
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        if address in str(mail["To"]):
            body = mail.get_body(("plain",))
            return body.get_content() if body else ""
    return ""


def eventually(look: Callable[[], Any], what: str, again: Callable[[], Any] | None = None) -> Any:
    """What `look` finds as soon as it finds something; `again` is called before another look."""
    end = time.monotonic() + SOON_S
    while not (found := look()):
        assert time.monotonic() < end, f"there was not {what} within {SOON_S} s"
        time.sleep(0.2)
        if again:
            again()
    return found
