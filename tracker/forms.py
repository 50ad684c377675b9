"""Text fields to a typed draft or filter, or `{field: sentence}`."""

import unicodedata
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from common.errors import Invalid
from common.say import say
from tracker import domain
from tracker.domain import Draft
from tracker.tasks import ORDERS, Filter

STATUSES = ("open", "done", "withdrawn", "all")
WORDS_MAX = 10


def draft(fields: Mapping[str, str | None]) -> Draft:
    """The task that `title`, `jira_id` and `description` describe.  Raises Invalid."""
    typed = {name: (fields.get(name) or "").strip() for name in ("title", "jira_id", "description")}
    key, title = domain.split_key(typed["title"])
    key, other = typed["jira_id"] or key, key
    description = typed["description"].replace("\r\n", "\n").replace("\r", "\n")
    problems = {
        "title": title_problem(title),
        "jira_id": key_problem(key, other),
        "description": description_problem(description),
    }
    if found := {name: problem for name, problem in problems.items() if problem}:
        raise Invalid(found)
    return Draft(title, key, description)


def changed(task: Mapping[str, Any], fields: Mapping[str, str]) -> Draft:
    """The task with the fields that were sent; a key in a new title replaces the old one."""
    was = {name: task[name] for name in ("title", "jira_id", "description")}
    if domain.split_key(fields.get("title", ""))[0]:
        was["jira_id"] = None
    return draft({**was, **{name: fields[name] for name in was if name in fields}})


def title_problem(title: str) -> str:
    if not any(unicodedata.category(each)[0] not in "CZ" for each in title):
        return say("A task needs a title that can be seen.")
    if len(title) > domain.TITLE_MAX:
        return say(
            "A title has up to %(most)s characters; this one has %(length)s.",
            most=domain.TITLE_MAX,
            length=len(title),
        )
    return control_problem(title)


def key_problem(key: str | None, in_title: str | None) -> str:
    if key and (len(key) > domain.KEY_MAX or not domain.KEY.fullmatch(key)):
        return say("A key looks like SHOP-12: capital letters, a hyphen, a number.")
    return say("The title says %(key)s.", key=in_title) if in_title not in (None, key) else ""


def description_problem(description: str) -> str:
    if len(description) > domain.DESCRIPTION_MAX:
        return say("A description has up to %(most)s characters.", most=domain.DESCRIPTION_MAX)
    return control_problem(description.replace("\n", "").replace("\t", ""))


def control_problem(text: str) -> str:
    is_clean = all(unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp") for each in text)
    return "" if is_clean else say("Control characters cannot be taken; please remove them.")


def task_filter(args: Mapping[str, str], *, me: UUID) -> tuple[Filter, dict[str, str]]:
    """What the query string asks for, and a sentence for each part that means nothing, which is
    then left out.
    """
    problems: dict[str, str] = {}
    status = args.get("status") or "open"
    if status not in STATUSES:
        problems["status"] = say("There is no such status; these are the open tasks.")
        status = "open"
    words = args.get("q", "").replace("\x00", " ").split()
    if len(words) > WORDS_MAX:
        problems["q"] = say("Only the first %(most)s words are searched for.", most=WORDS_MAX)
    try:
        assignee_id = person_id(args.get("assignee", ""), me)
    except ValueError:
        problems["assignee"] = say("There is no such person; these are everybody's tasks.")
        assignee_id = None
    order = args.get("sort") or "newest"
    if order not in ORDERS:
        problems["sort"] = say("There is no such order; these are the newest first.")
        order = "newest"
    return Filter(status, assignee_id, tuple(words[:WORDS_MAX]), order), problems


def person_id(text: str, me: UUID) -> UUID | None:
    """`me`, an id, or nothing.  Raises ValueError."""
    if not text:
        return None
    return me if text == "me" else UUID(text)
