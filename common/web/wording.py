"""How pages spell money, times and links."""

import hashlib
import secrets
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlencode

from flask import Flask, g, request
from markupsafe import Markup

from common.config import Config
from common.say import say
from common.web import language
from common.web.paging import count_text
from common.web.respond import STATIC

# What stands in data and is shown as a word; templates say `state|word`.
WORDS = [
    *(say("open"), say("done"), say("withdrawn")),
    *(say("requested"), say("running"), say("paused"), say("cancelled"), say("failed")),
    *(say("closing"), say("closed"), say("active"), say("inactive")),
    *(say("unaddressed"), say("queued"), say("sending"), say("sent")),
    *(say("worker"), say("accountant"), say("manager"), say("admin")),
]


@cache
def static_url(name: str) -> str:
    """The file's address with its fingerprint, so that it may be kept for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


@lru_cache(4096)
def when(moment: datetime | None) -> Markup:
    """A time in UTC; the script shows it in the reader's zone."""
    if moment is None:
        return Markup("–")
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}, {} UTC</time>').format(
        utc.isoformat().replace("+00:00", "Z"), language.short_day(utc.date()), f"{utc:%H:%M}"
    )


def link_with(**changes: Any) -> str:
    """This page's address with some of its query changed; None takes a name out."""
    query = {**request.args.to_dict(), **changes}
    kept = {name: value for name, value in query.items() if value not in (None, "")}
    return request.path + ("?" + urlencode(kept) if kept else "")


def csv_link(path: str) -> str:
    """The table at this path, of everything this page's query asks for."""
    kept = {name: value for name, value in request.args.items() if value and name != "cursor"}
    return path + ("?" + urlencode(kept) if kept else "")


def install(app: Flask, settings: Config) -> None:
    currency = settings.currency

    def cents(amount: int | None) -> str:
        return "–" if amount is None else language.cents(amount, currency)

    app.jinja_env.filters.update(
        cents=cents, when=when, weekday=language.weekday, month=language.month, count=count_text
    )
    app.jinja_env.globals.update(
        static_url=static_url,
        link_with=link_with,
        csv_link=csv_link,
        business_zone=settings.timezone.key,
        form_key=lambda: secrets.token_urlsafe(16),
    )

    @app.context_processor
    def caller() -> dict[str, Any]:
        return {"user": g.get("user"), "form": {}, "errors": {}, "problem": None}
