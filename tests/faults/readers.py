"""People who open every page, and how each of them was served."""

import time
import urllib.error
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import quantiles
from typing import NamedTuple

from bench.stack import Browser

PAGES = {
    "bob": ["/tasks", "/tasks?assignee=me&status=all", "/tasks.csv", "/earnings", "/account"],
    "ann": ["/tasks?q=lamp", "/reassignments", "/reassignments/new", "/tasks/new"],
    "fay": ["/analytics", "/accounting", "/payout-runs", "/users", "/mail", "/events"],
}


class Look(NamedTuple):
    """One page as somebody got it."""

    page: str
    status: int
    took_s: float


def look(browser: Browser, page: str, accept: str) -> Look:
    began = time.monotonic()
    try:
        browser.open(page, accept=accept)
        status = 200
    except urllib.error.HTTPError as error:
        status = error.code
    return Look(f"{page} as {accept}", status, time.monotonic() - began)


def read_everything(people: dict[str, Browser], times: int = 1) -> list[Look]:
    """Every page of everybody, as HTML and as JSON, everybody at once."""

    def read(name: str) -> list[Look]:
        return [
            look(people[name], page, accept)
            for _ in range(times)
            for page in PAGES[name]
            for accept in ("text/html", "application/json")
        ]

    with ThreadPoolExecutor(len(people)) as crowd:
        return [one for looks in crowd.map(read, people) for one in looks]


def unserved(looks: Sequence[Look]) -> list[Look]:
    return [one for one in looks if one.status != 200]


def p99_s(looks: Sequence[Look]) -> float:
    return quantiles((one.took_s for one in looks), n=100, method="inclusive")[-1]
