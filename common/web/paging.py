"""Paging by key: a cursor is the last row's key, sealed in text; one that fits nothing is none."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from flask import request

from common.web.language import number

SIZE = 25
COUNT_MAX = 1000
NUMBER_MAX = 1 << 53  # no row's key, and more than a column holds


def cursor_of(*key: Any) -> str:
    """The `next` of a page whose last row has this key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def asked(*types: Any) -> tuple[Any, ...] | None:
    """The key in `?cursor=`, of these types; None for the first page."""
    text = request.args.get("cursor", "")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        key = msgspec.json.decode(raw, type=tuple[types] if types else tuple[UUID])  # type: ignore[valid-type]
    except (msgspec.MsgspecError, binascii.Error, ValueError, UnicodeError):
        return None
    is_known = all(abs(each) < NUMBER_MAX for each in key if isinstance(each, int))
    return key if is_known else None


def cut(rows: list[Any], size: int = SIZE, key: Sequence[str] = ("id",)) -> tuple[list[Any], Any]:
    """One row more than a page was fetched: the page, and the cursor of the next one or None."""
    if len(rows) <= size:
        return rows, None
    last = rows[size - 1]
    return rows[:size], cursor_of(*(last[name] for name in key))


def count_text(count: int) -> str:
    """Counts beside lists are exact to 1,000, then `1,000+`; count with `LIMIT COUNT_MAX + 1`."""
    return number(min(count, COUNT_MAX)) + ("+" if count > COUNT_MAX else "")
