"""Titles and names, fetched by id for the rows shown: two databases are never joined."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from analytics.sources import sources
from common.db import Row
from common.errors import Away, NotFound
from common.web import reading

CHUNK = 1000

TITLES = "SELECT id, title FROM report_tasks WHERE id = ANY(%s::uuid[])"
PERSON = "SELECT id, name FROM report_users WHERE id = %s"
PEOPLE = """
    SELECT id, name, role FROM report_users
    WHERE strpos(lower(name), lower(%s)) > 0 AND (name, id) > (%s, %s)
    ORDER BY name, id LIMIT %s
"""
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
        raise NotFound("There is no such person.")
    return found


def people(q: str, before: Any, limit: int) -> list[Row]:
    """People whose name contains `q`, by name, behind the key."""
    name, person_id = before or ("", FIRST)
    return reading(sources["gateway"]).db.rows(PEOPLE, q, name, person_id, limit)
