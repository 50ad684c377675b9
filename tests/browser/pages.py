"""What is asked of every page, and how to walk through all of them."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from tests.browser.conftest import overflow

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
WEIGHT_MAX = 60_000
# Navigation and everything it loaded, compressed or not, from the cache or not.
WEIGHT = """
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .reduce((sum, each) => sum + each.encodedBodySize, 0)
"""
FILLED = {"email": "crawl@example.com", "search": "till", "date": "2026-01-31", "text": "Crawled"}
axe = Axe()


def places(page: Page) -> list[str]:
    """Where the head of the page leads."""
    links = page.locator("header a").all()
    return [href for link in links if (href := link.get_attribute("href")) and href != "/"]


def check(page: Page, address: str) -> None:
    """The page is there, has one heading, fits its window, and is light."""
    answer = page.goto(address)
    assert answer
    assert answer.status == 200, address
    assert page.locator("h1").count() == 1, address
    assert page.locator("html[lang] > head > title").count() == 1, address
    assert overflow(page) <= 0, f"{address} is wider than its window"
    weight = page.evaluate(WEIGHT)
    assert weight < WEIGHT_MAX, f"{address} has {weight} bytes"


def check_access(page: Page, address: str) -> None:
    """axe finds nothing wrong with the open page, by day and by night."""
    for scheme, options in (
        ("light", None),
        ("dark", {"runOnly": ["color-contrast", "link-in-text-block"]}),
    ):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = axe.run(page, options=options)
        assert found.violations_count == 0, f"{address}, {scheme}: {found.generate_report()}"
    page.emulate_media(color_scheme="light")


def crawl(page: Page) -> Iterator[str]:
    """One page of each kind that links and filters lead to, opened; files are asked for."""
    waiting = places(page)
    met: set[str] = set()
    seen = set(waiting)
    while waiting:
        address = waiting.pop()
        if urlsplit(address).path.endswith((".csv", ".svg", ".eml")):
            assert page.context.request.get(address).status == 200, address
            continue
        if (kind := kind_of(address)) in met:
            continue
        met.add(kind)
        check(page, address)
        yield address
        for link in page.evaluate(FOLLOW):
            if link.startswith("/") and link not in seen:
                seen.add(link)
                waiting.append(link)


# Links, images, and what a form that asks would ask for as it is shown.
FOLLOW = """
    [...[...document.links].map(a => a.getAttribute("href")),
     ...[...document.images].map(image => image.getAttribute("src")),
     ...[...document.forms].filter(form => form.method === "get").map(form =>
        new URL(form.action).pathname + "?" + new URLSearchParams(new FormData(form)))]
    .map(link => link.startsWith("?") ? location.pathname + link : link)
"""


def kind_of(address: str) -> str:
    """The address without what differs between things of one kind: ids, and values asked for."""
    parts = urlsplit(address)
    names = sorted(pair.partition("=")[0] for pair in parts.query.split("&"))
    return ID.sub("one", parts.path) + "?" + "&".join(names)


def actions(page: Page) -> list[str]:
    """Where the forms of the open page that change something are sent to."""
    return page.evaluate(
        '[...document.forms].filter(form => form.method === "post")'
        '.map(form => form.getAttribute("action"))'
    )


def send(page: Page, address: str, action: str) -> int | None:
    """The first form of that action on the page, filled in where it must be, was sent; the status
    of what came of it, None if one sent before took the form away.
    """
    page.goto(address)
    form = page.locator(f'form[action="{action}"]').first
    if not form.count():
        return None
    for field in form.locator("[required]").all():
        fill(field)
    with page.expect_navigation() as came:
        form.evaluate("form => form.submit()")
    return came.value.status


def fill(field: Locator) -> None:
    kind = field.get_attribute("type") or "text"
    if kind == "file":
        content = {"name": "one.csv", "mimeType": "text/csv", "buffer": b"title\nCrawled\n"}
        field.set_input_files(content)  # type: ignore[arg-type]
    else:
        field.evaluate("(field, text) => field.value ||= text", FILLED.get(kind, "Crawled"))
