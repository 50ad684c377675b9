"""What the mailer does when it hears of people, their languages, payouts and links."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from common import clock
from common.consume import Handlers
from common.events import LanguageChosen, LinkIssued, PayoutMade, UserAdded, UserChanged
from mailer import domain, wording
from mailer.models import primary

# A payout and its person's address, handled by two consumers at once, would not see each other:
# the letter would stay unaddressed for ever.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('addresses'))"

LEARN = """
    INSERT INTO address (person_id, email, name, version)
    SELECT DISTINCT ON (id) * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[])
        AS news (id, email, name, version) ORDER BY id, version DESC
    ON CONFLICT (person_id) DO UPDATE SET
        email = excluded.email, name = excluded.name, version = excluded.version
    WHERE address.version < excluded.version
"""
LEARN_LANGUAGES = """
    INSERT INTO reader (person_id, language, version)
    SELECT DISTINCT ON (id) * FROM unnest(%s::uuid[], %s::text[], %s::bigint[])
        AS news (id, language, version) ORDER BY id, version DESC
    ON CONFLICT (person_id) DO UPDATE SET language = excluded.language, version = excluded.version
    WHERE reader.version < excluded.version
"""
QUEUE = """
    UPDATE letter SET state = 'queued', queued_at = %s, next_attempt_at = %s
    WHERE state = 'unaddressed' AND person_id = ANY(%s::uuid[])
"""
WRITE = """
    INSERT INTO letter (kind, cause_id, person_id, subject, payload, trace, state, queued_at,
                        next_attempt_at)
    SELECT %s, cause_id, news.person_id, subject, payload::json, trace,
           CASE WHEN address.person_id IS NULL THEN 'unaddressed' ELSE 'queued' END,
           CASE WHEN address.person_id IS NULL THEN NULL ELSE moment END, moment
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[])
         AS news (cause_id, person_id, subject, payload, trace)
         CROSS JOIN (SELECT %s::timestamptz AS moment) AS clock
         LEFT JOIN address USING (person_id)
    ORDER BY cause_id
    ON CONFLICT (cause_id) DO NOTHING
"""


def learn_addresses(events: Sequence[UserAdded | UserChanged]) -> None:
    """Each person's newest address is known, and letters that waited for it are queued."""
    facts = [
        (str(e.user_id), domain.one_line(e.email), domain.one_line(e.name), e.user_version)
        for e in events
    ]
    ids, *others = (list(column) for column in zip(*facts, strict=True))
    now = clock.now()
    primary.value(ONE_AT_A_TIME)
    primary.run(LEARN, ids, *others)
    primary.run(QUEUE, now, now, ids)


def learn_languages(events: Sequence[LanguageChosen]) -> None:
    """Each person is written to in the language they chose last."""
    facts = [(str(e.user_id), e.language, e.language_version) for e in events]
    primary.run(LEARN_LANGUAGES, *[list(column) for column in zip(*facts, strict=True)])


def write_letters(events: Sequence[PayoutMade]) -> None:
    """There is one letter a payout, queued if the worker's address is known."""
    write("payout", [(e.payout_id, e.worker_id, e) for e in events])


def write_links(events: Sequence[LinkIssued]) -> None:
    """There is one letter a link, queued if the person's address is known."""
    write("link", [(e.link_id, e.user_id, e) for e in events])


def write(kind: str, facts: Sequence[tuple[UUID, UUID, PayoutMade | LinkIssued]]) -> None:
    """Letters of one kind, each with its cause, its person and what it is about."""
    columns = [
        [str(cause_id) for cause_id, _, _ in facts],
        [str(person_id) for _, person_id, _ in facts],
        # What the mailer says is made of the payload; the release before looks here.
        [domain.one_line(wording.subject(about)) for _, _, about in facts],
        [msgspec.json.encode(about).decode() for _, _, about in facts],
        [about.trace for _, _, about in facts],
    ]
    primary.value(ONE_AT_A_TIME)
    primary.run(WRITE, kind, *columns, clock.now())


HANDLERS: Handlers = {
    UserAdded: learn_addresses,
    UserChanged: learn_addresses,
    LanguageChosen: learn_languages,
    PayoutMade: write_letters,
    LinkIssued: write_links,
}
