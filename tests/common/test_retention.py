"""What is old enough leaves, and nothing else."""

from datetime import timedelta

import pytest
from peewee import DatabaseError

from common import clock
from common.config import Config
from common.retention import Sweeper
from common.service import Service, services


def sweeper(service: Service, settings: Config, **values: str) -> Sweeper:
    return Sweeper(service.primary(), service.kept, Config({**settings.env, **values}))


def named(name: str) -> Service:
    return next(service for service in services() if service.name == name)


def test_settled_letters_leave_after_their_days(settings: Config, clean: None) -> None:
    mailer = named("mailer")
    now = clock.now()
    for days, state in ((500, "sent"), (500, "failed"), (500, "queued"), (300, "sent")):
        at = now - timedelta(days=days)
        mailer.primary().run(
            "INSERT INTO letter (id, cause_id, person_id, subject, payload, state, queued_at,"
            " next_attempt_at, settled_at) SELECT"
            " overlay(new_id()::text PLACING '0180' FROM 1 FOR 4)::uuid,"
            " new_id(), new_id(), 'Paid', '{}', %s, %s, %s,"
            " CASE WHEN %s IN ('sent', 'failed') THEN %s END",
            *(state, at, at, state, at),
        )

    gone = sweeper(mailer, settings).sweep(now)

    left = mailer.primary().rows("SELECT state FROM letter ORDER BY settled_at")
    assert gone == 2
    assert [row["state"] for row in left] == ["sent", "queued"]
    assert sweeper(mailer, settings, EXCHANGE_LETTER_DAYS="200").sweep(now) == 1


def test_ended_sessions_and_old_results_leave(settings: Config, clean: None) -> None:
    gateway = named("gateway")
    now = clock.now()
    db = gateway.primary()
    person = db.value(
        "INSERT INTO person (email, name, role, created_at)"
        " VALUES ('bob@example.com', 'Bob', 'worker', now()) RETURNING id"
    )
    for days in (0, 10):
        end = now + timedelta(days=1) - timedelta(days=days)
        began = end - timedelta(days=7)
        db.run(
            "INSERT INTO session (token_sha256, user_id, created_at, last_seen_at, confirmed_at,"
            " expires_at, address, device) VALUES (%s, %s, %s, %s, %s, %s, '', '')",
            *(str(days).encode(), person, began, began, began, end),
        )
        db.run(
            "INSERT INTO form_result VALUES (%s, %s, '', '{}', %s)",
            *(person, str(days), now - timedelta(days=days * 4)),
        )

    gone = sweeper(gateway, settings).sweep(now)

    assert gone == 2
    assert db.value("SELECT count(*) FROM session") == 1
    assert db.value("SELECT form_key FROM form_result") == "0"


def test_the_audit_log_loses_what_is_over_a_year_old_and_no_more(
    settings: Config, clean: None
) -> None:
    gateway = named("gateway")
    db = gateway.primary()
    now = clock.now()
    for days in (800, 400, 300):
        db.run(
            "INSERT INTO audit (at, what, object, address, request_id)"
            " VALUES (%s, 'user.added', '', '', '')",
            now - timedelta(days=days),
        )

    by_default = sweeper(gateway, settings).sweep(now)
    at_least = sweeper(gateway, settings, EXCHANGE_AUDIT_DAYS="1").sweep(now)

    assert (by_default, at_least) == (1, 1)
    assert db.value("SELECT count(*) FROM audit") == 1
    for statement in ("DELETE FROM audit", "UPDATE audit SET what = 'x'"):
        with pytest.raises(DatabaseError, match="only ever added to"), db.atomic():
            db.run(statement)
