"""Sessions are rows: whoever holds the cookie is who the row says, until the row is gone."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from common.db import LOST, Row, Server, deadline, is_hung
from common.errors import Away
from common.say import say
from gateway.breaker import Breaker
from gateway.models import primary, replica

IDLE = timedelta(hours=12)
LIFE = timedelta(days=7)
LIFE_S = int(LIFE.total_seconds())
TOUCH = timedelta(minutes=1)
LOOK_S = 2.0
TOKEN_LENGTH = 43
REMEMBERED_MAX = 1000

FIND = """
    SELECT session.id, user_id, email, name, role, last_seen_at, confirmed_at
    FROM session JOIN person ON person.id = user_id
    WHERE token_sha256 = %s AND is_active AND expires_at > %s AND last_seen_at > %s
"""
# The password may have been changed since it was checked: then nothing is opened.
OPEN = """
    INSERT INTO session (user_id, token_sha256, created_at, last_seen_at, confirmed_at,
                         expires_at, address, device)
    SELECT id, %s, %s, %s, %s, %s, %s, %s
    FROM (SELECT id FROM person WHERE id = %s AND is_active AND password_hash = %s
          FOR SHARE) AS still
"""
CONFIRM = "UPDATE session SET token_sha256 = %s, confirmed_at = %s WHERE id = %s"


class Session(NamedTuple):
    """Who is signed in.  Read-only: found on the replica, the primary being away."""

    id: UUID
    user_id: UUID
    email: str
    name: str
    role: str
    last_seen_at: datetime
    confirmed_at: datetime
    is_read_only: bool = False

    def is_as(self, other: "Session | None") -> bool:
        """Whether a service would be told the same of both."""
        return other is not None and self._replace(last_seen_at=other.last_seen_at) == other


def new_token() -> str:
    """The cookie's value: 32 bytes nobody can guess."""
    return secrets.token_urlsafe(32)


def sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def find(token: str, now: datetime) -> Session | None:
    """The live session of this cookie.  Raises Away if neither server answers."""
    if len(token) != TOKEN_LENGTH:
        return None
    digest = sha256(token)
    remembered.pop(digest, None)
    row, is_read_only = look((digest, now, now - IDLE))
    if row is None:
        return None
    found = Session(**row, is_read_only=is_read_only)
    if len(remembered) >= REMEMBERED_MAX:
        remembered.clear()
    remembered[digest] = found
    if not is_read_only and found.last_seen_at < now - TOUCH:
        touch(found.id, now)
    return found


class WrongGuess(Exception):
    """The session of this cookie is not any more what it was when it was found last."""


# What this process found last: a guess, for whoever finds out before anybody gains by it.
remembered: dict[bytes, Session] = {}


def guess(token: str) -> Session | None:
    """Who this cookie's session was when it was found last, unless much speaks against it."""
    return None if primary.is_away else remembered.get(sha256(token))


breaker = Breaker(failures_max=1, away_s=3.0)


def look(params: tuple) -> tuple[Row | None, bool]:
    """The row, and whether it is the replica that gave it."""
    if not primary.is_away and breaker.may_ask():
        try:
            row = ask(primary, params)
            breaker.answered()
            return row, False
        except LOST:
            breaker.failed()
    try:
        return ask(replica, params), True
    except LOST as error:
        sentence = say("We cannot look up who you are just now; please try again in a moment.")
        raise Away(sentence) from error


def ask(server: Server, params: tuple) -> Row | None:
    """The kept connection may be a dead one; a new one says the truth."""
    with deadline(LOOK_S):
        try:
            return server.row(FIND, *params)
        except LOST as error:
            server.close_quietly()
            if is_hung(error):
                raise
        try:
            return server.row(FIND, *params)
        except LOST:
            server.close_quietly()
            raise


def touch(session_id: UUID, now: datetime) -> None:
    """The session was seen now; once a minute is enough, and losing one is no loss."""
    try:
        with deadline(LOOK_S):
            primary.run(
                "UPDATE session SET last_seen_at = %s WHERE id = %s AND last_seen_at < %s",
                now,
                session_id,
                now - TOUCH,
            )
    except LOST:
        primary.close_quietly()


def start(user: Row, *, address: str, device: str, now: datetime) -> str | None:
    """A new session's token; None if the person may not sign in any more.  In a transaction."""
    token = new_token()
    end_old(user["id"], now)
    made = (sha256(token), now, now, now, now + LIFE, address, device)
    return token if primary.run(OPEN, *made, user["id"], user["password_hash"]) else None


def confirm(session_id: UUID, *, now: datetime) -> str:
    """The password was given again: the session goes on under a new token, which is returned."""
    token = new_token()
    remembered.clear()
    primary.run(CONFIRM, sha256(token), now, session_id)
    return token


def end(token: str) -> int:
    """This cookie opens nothing any more; returns how many sessions it opened."""
    remembered.clear()
    return primary.run("DELETE FROM session WHERE token_sha256 = %s", sha256(token))


def end_old(user_id: UUID, now: datetime) -> None:
    primary.run(
        "DELETE FROM session WHERE user_id = %s AND (expires_at <= %s OR last_seen_at <= %s)",
        user_id,
        now,
        now - IDLE,
    )


def end_all(user_id: UUID, *, keep: UUID | None = None) -> int:
    """The person's sessions but `keep` are gone; returns how many."""
    remembered.clear()
    return primary.run(
        "DELETE FROM session WHERE user_id = %s AND id IS DISTINCT FROM %s", user_id, keep
    )
