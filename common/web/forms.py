"""A form sent twice does one thing: its key, its sender and its body lead to the first result."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
from flask import g, request

from common.db import LOST, Server, is_passing
from common.errors import Conflict
from common.web.csrf import FIELD

KEY = "form_key"
KEY_MAX = 100


def body_sha256() -> bytes:
    """What was sent, but for the two hidden fields and the order of the others."""
    digest = hashlib.sha256(request.path.encode())
    fields = [
        (name, value)
        for name, value in sorted(request.form.items(multi=True))
        if name not in (FIELD, KEY)
    ]
    digest.update(msgspec.json.encode(fields))
    for name, upload in sorted(request.files.items(multi=True)):
        digest.update(name.encode())
        while chunk := upload.stream.read(65_536):
            digest.update(chunk)
        upload.stream.seek(0)
    return digest.digest()


def once(primary: Server, make: Callable[[], Any], key: str | None = None) -> tuple[Any, bool]:
    """`make()`'s result (anything JSON can hold) and True; or, for a form key seen before, the
    first result and False.  The key commits with what was made.  Raises Conflict if the same key
    comes with another body.

    With a key a lost connection is answered by doing it again, once: if it was lost at COMMIT, the
    key says whether that was done.
    """
    key = (key or request.form.get(KEY, ""))[:KEY_MAX]
    if not key:
        return make(), True
    body = body_sha256()
    try:
        return keyed(primary, make, key, body)
    except LOST as error:
        if not is_passing(error):
            raise
    return keyed(primary, make, key, body)


def keyed(primary: Server, make: Callable[[], Any], key: str, body: bytes) -> tuple[Any, bool]:
    with primary.atomic():
        # Two of the same at once: the second waits here for the first one's commit.
        primary.value("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", f"{g.user.id}{key}")
        known = primary.row(
            "SELECT body_sha256, result FROM form_result WHERE user_id = %s AND form_key = %s",
            g.user.id,
            key,
        )
        if known:
            if bytes(known["body_sha256"]) != body:
                raise Conflict("This form was sent before with other values; open it again.")
            return known["result"], False
        result = make()
        primary.run(
            "INSERT INTO form_result (user_id, form_key, body_sha256, result)"
            " VALUES (%s, %s, %s, %s)",
            g.user.id,
            key,
            body,
            msgspec.json.encode(result).decode(),
        )
    return msgspec.json.decode(msgspec.json.encode(result)), True
