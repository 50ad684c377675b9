"""Titles and names, fetched by id for the rows shown: two databases are never joined."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from analytics.sources import sources
from common.db import Row
from common.errors import Away, Invalid, NotFound
from common.say import say
from common.web import reading

CHUNK = 1000

TITLES = "SELECT id, title FROM report_tasks WHERE id = ANY(%s::uuid[])"
PERSON = "SELECT id, name FROM report_users WHERE id = %s"
PEOPLE = """
    SELECT id, name, role FROM report_users
    WHERE strpos(lower(name), lower(%s)) > 0 AND (name, id) > (%s, %s)
    ORDER BY name, id LIMIT %s
"""
ROLES = "SELECT id, name, role FROM report_users WHERE id = ANY(%s::uuid[])"
MEANT = """
    SELECT id FROM report_users WHERE strpos(lower(name || ' ' || email), lower(%s)) > 0
    ORDER BY id LIMIT %s
"""
KEYED = """
    SELECT id FROM report_tasks WHERE search_text LIKE %s AND upper(jira_id) = upper(%s)
    ORDER BY id LIMIT %s
"""
RUNS = "SELECT task_id, run_id FROM report_task_runs WHERE task_id = ANY(%s::uuid[])"
MEANT_MAX = 50
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
KEY = re.compile(r"[A-Za-z][A-Za-z0-9]*-[0-9]+")
FIRST = UUID(int=0)


def titles(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """`{task_id: title}` of those known; none while the tracker is away."""
    wanted = list({str(each) for each in ids if each})
    if not wanted:
        return {}
    try:
        found = sources["tracker"].reading().db.rows(TITLES, wanted)
    except Away:
        return {}
    return {row["id"]: row["title"] for row in found}


def task(task_id: UUID | None, known: dict[UUID, str], **more: Any) -> Row | None:
    """`{"id", "title"}` and what else is given; the title is None if it is not known here."""
    return {"id": task_id, "title": known.get(task_id), **more} if task_id else None


def titled(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows with `task_id` and `task_title`, however many, a thousand titles at a time."""
    remaining = iter(rows)
    while chunk := list(islice(remaining, CHUNK)):
        known = titles(row["task_id"] for row in chunk)
        for row in chunk:
            yield {**row, "task_title": known.get(row["task_id"])}


def person(person_id: UUID) -> Row:
    """`{"id", "name"}`.  Raises NotFound; Away."""
    found = reading(sources["gateway"]).db.row(PERSON, person_id)
    if found is None:
        raise NotFound(say("There is no such person."))
    return found


def roles(ids: Iterable[UUID]) -> dict[UUID, Row]:
    """`{person_id: {"name", "role"}}` of those known; none while the gateway's database is away."""
    try:
        rows = reading(sources["gateway"]).db.rows(ROLES, [str(each) for each in ids])
    except Away:
        return {}
    return {row.pop("id"): row for row in rows}


def people(q: str, before: Any, limit: int) -> list[Row]:
    """People whose name contains `q`, by name, behind the key."""
    name, person_id = before or ("", FIRST)
    return reading(sources["gateway"]).db.rows(PEOPLE, q, name, person_id, limit)


def people_meant(text: str) -> list[UUID]:
    """Whom the text names: an id, or a part of names and addresses.  Raises Invalid."""
    if ID.fullmatch(text):
        return [UUID(text)]
    rows = reading(sources["gateway"]).db.rows(MEANT, text.replace("\x00", ""), MEANT_MAX + 1)
    if not rows:
        raise Invalid({"person": say("Nobody has this in their name or address.")})
    if len(rows) > MEANT_MAX:
        raise Invalid(
            {"person": say("More than %(n)s people have this in their name.", n=MEANT_MAX)}
        )
    return [row["id"] for row in rows]


def tasks_meant(text: str) -> list[UUID]:
    """Which tasks the text names: an id, an address with one, or a key.  Raises Invalid."""
    if found := ID.search(text):
        return [UUID(found.group())]
    rows = []
    if KEY.fullmatch(text):
        db = reading(sources["tracker"]).db
        rows = db.rows(KEYED, f"%{text.casefold()}%", text, MEANT_MAX)
    if not rows:
        raise Invalid({"task": say("There is no task of this key; keys look like SHOP-12.")})
    return [row["id"] for row in rows]


def runs_of(task_ids: list[UUID]) -> list[tuple[UUID, UUID]]:
    """`(task_id, run_id)` of the runs that dealt these tasks, and some that did not."""
    found = reading(sources["tracker"]).db.rows(RUNS, [str(each) for each in task_ids])
    return [(row["task_id"], row["run_id"]) for row in found]
