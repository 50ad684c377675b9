"""What can happen to people and their sessions: one function, one transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from common.db import Row
from common.errors import Invalid, NotFound
from common.events import LanguageChosen, UserAdded, UserChanged
from common.roles import DEALT_TO
from common.say import say
from gateway import domain, invitations, limits, passwords, sessions, trail
from gateway.forms import NewUser
from gateway.limits import Limits
from gateway.models import outbox, primary

STATE = "id, email, name, role, is_active, version"
ADD = f"""
    INSERT INTO person (email, name, role, password_hash, created_at) VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (lower(email)) DO NOTHING RETURNING {STATE}
"""
CHANGE = f"""
    UPDATE person SET name = %s, role = %s, is_active = %s, version = version + 1
    WHERE id = %s RETURNING {STATE}
"""
KEEP_LANGUAGE = """
    UPDATE person SET language = %s, language_version = language_version + 1
    WHERE id = %s AND language IS DISTINCT FROM %s AND (%s OR language IS NULL)
    RETURNING language_version
"""
COMPANY = """
    SELECT count(*) FILTER (WHERE role = ANY(%s)) AS dealt_to,
           count(*) FILTER (WHERE role = 'admin') AS admins
    FROM person WHERE is_active
"""
KNOWN = "SELECT id, email, name, role, password_hash FROM person WHERE {} AND is_active"


def shown(person: Row) -> Row:
    """A person as pages and JSON show one."""
    facts = {field: person[field] for field in ("id", "email", "name", "role")}
    return facts | {"active": person["is_active"]}


def state(person: Row) -> dict[str, Any]:
    """What the events say of a person."""
    facts = {field: person[field] for field in ("email", "name", "role", "is_active")}
    return facts | {"user_id": person["id"], "user_version": person["version"]}


def add_user(
    new: NewUser, *, now: datetime, by: UUID | None = None, language: str | None = None
) -> Row:
    """The person has access, and every service will know; without a password they are invited to
    choose one, in that `language` of whoever invites them.  Raises Invalid for a taken address.
    """
    password_hash = passwords.digest(new.password) if new.password else None
    with primary.atomic():
        person = primary.row(ADD, new.email, new.name, new.role, password_hash, now)
        if person is None:
            raise Invalid({"email": say("Somebody has this e-mail address already.")})
        outbox.add(UserAdded(**state(person)))
        trail.note("user.added", f"{new.email}, {new.role}", by=by)
        if language:
            say_language(person["id"], language, 0)
        if not password_hash:
            invitations.issue(person["id"], "invitation", now=now)
    return shown(person)


def change_user(user_id: UUID, wanted: dict[str, Any], *, by: UUID | None) -> Row:
    """The person's `name`, `role`, `is_active` are as wanted, those not named as before; another
    role, or none any more, has closed their sessions, and no link lets in who was let go.

    Raises NotFound; Conflict if the company would be left without an admin or anybody to deal to,
    or an admin acts on themselves.
    """
    with primary.atomic():
        # Two admins demoting each other at once: the second one waits, counts, and is refused.
        primary.run("SELECT pg_advisory_xact_lock(hashtext('company'))")
        before = primary.row(f"SELECT {STATE} FROM person WHERE id = %s FOR UPDATE", user_id)
        if before is None:
            raise NotFound("There is no such user.")
        if before | wanted == before:
            return shown(before)
        domain.check_own_change(before, before | wanted, by=by)
        after = save(before | wanted)
        domain.check_company(before, after, **company())
        if domain.closes_sessions(before, after):
            sessions.end_all(user_id)
        if not after["is_active"]:
            invitations.withdraw(user_id)
        outbox.add(UserChanged(**state(after)))
        trail.note("user.changed", domain.difference(before, after), by=by)
    return shown(after)


def save(person: Row) -> Row:
    changed = (person["name"], person["role"], person["is_active"], person["id"])
    after = primary.row(CHANGE, *changed)
    assert after is not None
    return after


def company() -> dict[str, int]:
    counts = primary.row(COMPANY, list(DEALT_TO))
    assert counts is not None
    return counts


def choose_language(user_id: UUID, language: str | None) -> None:
    """The person reads this language, as the mailer will know; None: as their browser asks when
    they sign in next.
    """
    with primary.atomic():
        keep_language(user_id, language, is_chosen=True)


def keep_language(user_id: UUID, language: str | None, *, is_chosen: bool) -> None:
    """The person reads this language, unless it was not chosen and another is kept already."""
    version = primary.value(KEEP_LANGUAGE, language, user_id, language, is_chosen)
    if version and language:
        say_language(user_id, language, version)


def say_language(user_id: UUID, language: str, version: int) -> None:
    event = LanguageChosen(user_id=user_id, language=language, language_version=version)
    outbox.add(event)


def sign_in(
    email: str,
    password: str,
    *,
    limit: Limits,
    instead_of: str,
    address: str,
    user_agent: str,
    language: str | None = None,
    now: datetime,
) -> tuple[Row, str] | None:
    """The person and the token of their new session, which replaces the one of the token
    `instead_of`; None if these words open nothing, whatever the reason, in the same time.  The
    browser's `language` is theirs until they choose one.  Raises TooMany.
    """
    limit.take("sign-in", email, address, now=now)
    person = primary.row(KNOWN.format("lower(email) = lower(%s)"), email.replace("\x00", ""))
    if not person_fits(person, password) or person is None:
        trail.note("session.refused", trail.address_of(email), by=None)
        return None
    with primary.atomic():
        keep_language(person["id"], language, is_chosen=False)
        sessions.end(instead_of)
        device = domain.device(user_agent)
        token = sessions.start(person, address=address, device=device, now=now)
        if token is None:
            return None
        trail.note("session.started", device, by=person["id"])
    limits.succeeded("sign-in", email, address)
    return person, token


def person_fits(person: Row | None, password: str) -> bool:
    return passwords.fits(person["password_hash"] if person else None, password)


def check_password(
    user_id: UUID, password: str, *, field: str, limit: Limits, address: str, now: datetime
) -> Row:
    """The person, whose present password this is.  Raises Invalid for `field`, TooMany."""
    person = primary.row(KNOWN.format("id = %s"), user_id)
    limit.take("password", str(user_id), address, now=now)
    if not person_fits(person, password) or person is None:
        raise Invalid({field: say("This is not your present password.")})
    limits.succeeded("password", str(user_id), address)
    return person


def change_password(person: Row, password: str, *, keep: UUID, now: datetime) -> str:
    """The password is the new one, only the session `keep` is left, under a new token, which is
    returned, and no link to choose another one is.  Raises Invalid if it was changed since
    `person` was read.
    """
    with primary.atomic():
        changed = primary.run(
            "UPDATE person SET password_hash = %s WHERE id = %s AND password_hash = %s",
            passwords.digest(password),
            person["id"],
            person["password_hash"],
        )
        if not changed:
            raise Invalid({"current": say("Your password was changed a moment ago.")})
        sessions.end_all(person["id"], keep=keep)
        invitations.withdraw(person["id"])
        trail.note("password.changed", by=person["id"])
        return sessions.confirm(keep, now=now)


def confirm_session(session_id: UUID, *, by: UUID, now: datetime) -> str:
    """The session is as good as one just begun; returns its new token."""
    with primary.atomic():
        trail.note("session.confirmed", by=by)
        return sessions.confirm(session_id, now=now)


def sign_out(token: str, *, by: UUID | None) -> None:
    """The cookie opens nothing any more."""
    with primary.atomic():
        if sessions.end(token):
            trail.note("session.ended", "their own", by=by)


def revoke_session(session_id: UUID, *, by: UUID) -> None:
    """The session is gone.  Raises NotFound unless it is the person's own."""
    with primary.atomic():
        gone = primary.row(
            "DELETE FROM session WHERE id = %s AND user_id = %s RETURNING device", session_id, by
        )
        if gone is None:
            raise NotFound("There is no such session.")
        trail.note("session.ended", gone["device"], by=by)


def revoke_others(keep: UUID, *, by: UUID) -> None:
    """The person has no session but `keep`."""
    with primary.atomic():
        if count := sessions.end_all(by, keep=keep):
            trail.note("session.ended", f"all others, {count}", by=by)
