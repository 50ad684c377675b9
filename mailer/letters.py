"""The life of a letter after it was written: leased, sent or failed, or tried again later."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from common import log
from common.db import LOST, Row
from common.errors import Conflict, NotFound
from common.events import LetterSettled, LinkIssued, PayoutMade
from common.outbox import WAKE, moment_text, telling
from common.say import word
from mailer import domain, models, wording
from mailer.models import outbox, primary

KINDS: dict[str, type[PayoutMade | LinkIssued]] = {"payout": PayoutMade, "link": LinkIssued}
BATCH = 50
LEASE = timedelta(seconds=60)


class Letter(msgspec.Struct, frozen=True):
    """A letter this sender alone may send until `leased_until`."""

    id: UUID
    kind: Literal["payout", "link"]
    cause_id: UUID
    about: PayoutMade | LinkIssued
    email: str
    name: str
    language: str
    attempts: int
    queued_at: datetime
    leased_until: datetime
    trace: str | None = None

    @property
    def host(self) -> str:
        return domain.host_of(self.email)


LEASE_DUE = """
    UPDATE letter SET state = 'sending', next_attempt_at = %s
    FROM (SELECT id FROM letter WHERE state IN ('queued', 'sending') AND next_attempt_at <= %s
          ORDER BY next_attempt_at, id LIMIT %s FOR UPDATE SKIP LOCKED) AS due,
         address LEFT JOIN reader USING (person_id)
    WHERE letter.id = due.id AND address.person_id = letter.person_id
    RETURNING letter.id, kind, cause_id, payload::text AS about, email, name,
              coalesce(language, 'en') AS language, attempts, queued_at,
              next_attempt_at AS leased_until, trace
"""
SETTLE = f"""
    WITH settled AS (
        UPDATE letter SET state = %(state)s, attempts = attempts + 1, error = %(error)s,
            settled_at = %(now)s
        WHERE id = %(id)s AND state = 'sending' AND next_attempt_at = %(leased_until)s
        RETURNING id, kind, cause_id, state
    ), facts AS (
        SELECT new_id() AS id, id AS subject, json_build_object(
            'letter_id', id, 'cause_id', cause_id, 'state', state,
            'settled_at', %(settled_at)s::text) AS data
        FROM settled WHERE kind = 'payout'
    ), told AS ({telling(LetterSettled, outbox.source, "facts")})
    {WAKE} AND EXISTS (SELECT FROM facts)
"""
PUT_BACK = """
    UPDATE letter SET state = 'queued', attempts = attempts + %s, error = coalesce(%s, error),
                      next_attempt_at = %s
    WHERE id = ANY(%s::uuid[]) AND state = 'sending' AND next_attempt_at = %s
"""
POSTPONE_HOST = """
    UPDATE letter SET next_attempt_at = %s FROM address
    WHERE letter.state = 'queued' AND next_attempt_at < %s
      AND address.person_id = letter.person_id AND lower(split_part(email, '@', 2)) = %s
"""
RESEND = """
    UPDATE letter SET state = 'queued', attempts = 0, error = NULL, settled_at = NULL,
                      queued_at = %s, next_attempt_at = %s
    WHERE id = %s AND state IN ('sent', 'failed')
"""


def lease(now: datetime, limit: int = BATCH) -> list[Letter]:
    """Letters that are due, or were in the hands of a sender that died; no other has them."""
    rows = primary.rows(LEASE_DUE, now + LEASE, now, limit)
    return [Letter(**row | {"about": about(row)}) for row in rows]


def about(row: Row) -> PayoutMade | LinkIssued:
    """The event that is the letter's cause."""
    return msgspec.json.decode(row["about"], type=KINDS[row["kind"]])


def settle(
    letter: Letter, state: Literal["sent", "failed"], *, now: datetime, error: str | None = None
) -> None:
    """The letter is sent or failed, and the fact is told if it is about a payout; nothing if its
    lease was lost.
    """
    values = {
        "id": letter.id,
        "state": state,
        "error": error,
        "now": now,
        "leased_until": letter.leased_until,
        "settled_at": moment_text(now),
        "trace": log.trace.get(),
    }
    try:
        primary.execute_sql(SETTLE, values)
    except LOST:
        # Perhaps it was done; then the letter is no longer sending, and this does nothing.
        primary.close_quietly()
        primary.execute_sql(SETTLE, values)


def put_back(
    letters: Sequence[Letter], *, until: datetime, tried: bool = True, error: str | None = None
) -> None:
    """The letters, all of one lease, are queued again until then."""
    if letters:
        ids = [str(letter.id) for letter in letters]
        primary.run(PUT_BACK, int(tried), error, until, ids, letters[0].leased_until)


def try_later(
    letters: Sequence[Letter], *, now: datetime, until: datetime, error: str, tried: bool = True
) -> None:
    """After an attempt that failed for now the letters are queued again; those tried for two days
    have failed.
    """
    for letter in letters:
        if domain.is_over(letter.queued_at, now):
            settle(letter, "failed", now=now, error=error)
    put_back(letters, until=until, error=error, tried=tried)


def postpone_host(host: str, until: datetime) -> None:
    """No queued letter to this mail host is tried before then."""
    primary.run(POSTPONE_HOST, until, until, host)


def resend(letter_id: UUID, *, now: datetime) -> Row:
    """The letter goes out once more, under the same Message-ID.  Raises NotFound; Conflict while
    it has not been sent or failed yet.
    """
    with primary.atomic():
        if not primary.run(RESEND, now, now, letter_id):
            state = letter_of(letter_id)["state"]
            raise Conflict("This letter is %(state)s and has yet to go out.", state=word(state))
        return letter_of(letter_id)


def letter_of(letter_id: UUID) -> Row:
    """The letter as pages show it.  Raises NotFound."""
    row = models.letter(primary, letter_id)
    if row is None:
        raise NotFound("There is no such letter.")
    return shown(row)


def shown(row: Row) -> Row:
    """The letter as pages and JSON show it: its subject is in their reader's language."""
    facts = {name: row[name] for name in ("id", "to", "state", "attempts", "error")}
    return facts | {"subject": wording.subject(about(row))}
