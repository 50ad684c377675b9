"""Tasks: list, add, look, change, end, import."""

import secrets
from collections.abc import Mapping
from itertools import chain
from typing import IO, Any
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, Response, current_app, g, request

from common import chance, clock, people
from common.db import Row, deadline
from common.errors import Invalid, TooLarge
from common.later import later
from common.say import say
from common.store import Reading
from common.web import forms as web_forms
from common.web import look_up, paging, reading, require, respond
from tracker import actions, domain, forms, importing, tasks
from tracker.marks import marked
from tracker.models import DEALT_TO, primary, store
from tracker.run_views import bp as reassignments

bp = Blueprint("tracker", __name__)
BLUEPRINTS = (bp, reassignments)

SHOWN = 10
FILE_MAX = 20 * 1024 * 1024
IMPORT_S = 50
REPORT = "SELECT result FROM form_result WHERE user_id = %s AND form_key = %s"


def at(task_id: UUID) -> str:
    return f"/tasks/{task_id}"


@bp.get("/tasks")
def index() -> Response:
    wanted, problems = asked_filter()
    found = reading(store)
    if respond.wants_json():
        return respond.json(listed(found, wanted))
    count = later(tasks.count, found.db, wanted, paging.COUNT_MAX + 1)
    extra: dict[str, Any] = {"wanted": wanted, "problems": problems, "count": count}
    extra |= {"words": " ".join(wanted.words), "marked": marked}
    if wanted.assignee_id:
        known = people.names(found.db, [wanted.assignee_id])
        extra["assignee"] = people.reference(wanted.assignee_id, known)
    status = 422 if problems else 200
    return respond.page("tracker/index.html", listed(found, wanted), status, **extra)


def listed(found: Reading, wanted: tasks.Filter) -> Row:
    """A page of the list."""
    key = tasks.ORDERS[wanted.order].key
    rows = tasks.page(found.db, wanted, paging.asked(*key.values()), paging.SIZE + 1)
    shown, following = paging.cut(rows, key=list(key))
    return {"tasks": shown, "next": following, **found.age}


@bp.get("/tasks.csv")
def export() -> Response:
    wanted, problems = asked_filter()
    if problems:
        raise Invalid(problems)
    return respond.csv_stream("tasks.csv", tasks.NAMES, tasks.every(reading(store).db, wanted))


def asked_filter() -> tuple[tasks.Filter, dict[str, str]]:
    """The filter, and what of it a page must explain.  Raises Invalid where no page is asked."""
    wanted, problems = forms.task_filter(request.args, me=g.user.id)
    if problems and respond.wants_json():
        raise Invalid(problems)
    return wanted, problems


@bp.get("/tasks/new")
def new() -> Response:
    return respond.page("tracker/new.html", {})


@bp.post("/tasks")
@respond.form("tracker/new.html")
def add() -> Response:
    draft = forms.draft(request.form)
    task_id, is_new = web_forms.once(
        primary,
        lambda: str(actions.add_task(draft, by=g.user.id, now=clock.now(), seed=chance.new_seed())),
    )
    task = tasks.one(primary, UUID(task_id))
    message = say(
        "“%(title)s” was added and dealt to %(name)s.",
        title=task["title"],
        name=task["assignee"]["name"],
    )
    return respond.done(at(task_id), task, message=message, created=is_new)


@bp.get("/tasks/<uuid:task_id>")
def show(task_id: UUID) -> Response:
    task, source = look_up(store, lambda db: tasks.one(db, task_id))
    return respond.page("tracker/task.html", task, age=source.age)


@bp.get("/tasks/<uuid:task_id>/edit")
def edit_form(task_id: UUID) -> Response:
    task, _ = look_up(store, lambda db: tasks.one(db, task_id))
    domain.check_may_edit(task["added_by"]["id"], by=g.user.id, role=g.user.role)
    domain.check_open(task["status"])
    return respond.page("tracker/edit.html", {"task": task})


def task_again(task_id: UUID) -> Mapping[str, Any]:
    return {"task": tasks.one(primary, task_id)}


@bp.post("/tasks/<uuid:task_id>")
@respond.form("tracker/edit.html", task_again)
def edit(task_id: UUID) -> Response:
    task = tasks.one(primary, task_id)
    domain.check_may_edit(task["added_by"]["id"], by=g.user.id, role=g.user.role)
    draft = forms.changed(task, request.form)
    is_changed = actions.edit_task(task_id, draft, by=g.user.id, role=g.user.role, now=clock.now())
    message = say("The task was changed.") if is_changed else say("Nothing was different.")
    return respond.done(at(task_id), tasks.one(primary, task_id), message=message)


@bp.post("/tasks/<uuid:task_id>/completion")
def complete(task_id: UUID) -> Response:
    actions.complete_task(task_id, by=g.user.id, now=clock.now())
    task = tasks.one(primary, task_id)
    message = say("“%(title)s” is done; its reward goes to your balance.", title=task["title"])
    return respond.done(back_to(task_id), task, message=message)


@bp.post("/tasks/<uuid:task_id>/withdrawal")
def withdraw(task_id: UUID) -> Response:
    require("manager", "admin")
    actions.withdraw_task(task_id, by=g.user.id, now=clock.now())
    task = tasks.one(primary, task_id)
    return respond.done(
        at(task_id), task, message=say("“%(title)s” was withdrawn.", title=task["title"])
    )


def back_to(task_id: UUID) -> str:
    """Whoever works through a list of theirs goes on there."""
    return "/tasks?assignee=me" if request.form.get("from") == "list" else at(task_id)


@bp.get("/tasks/import")
def import_form() -> Response:
    require("manager", "admin")
    key = request.args.get("report", "")
    known = reading(store).db.value(REPORT, g.user.id, key) if key else None
    report = known if isinstance(known, dict) else None
    facts = report or {"added": 0, "refused": []}
    return respond.page("tracker/import.html", facts, has_report=report is not None)


@bp.post("/tasks/import")
@respond.form("tracker/import.html", lambda: {"added": 0, "refused": [], "has_report": False})
def import_file() -> Response:
    require("manager", "admin")
    file = uploaded()
    key = request.form.get(web_forms.KEY) or secrets.token_urlsafe(16)
    if request.form.get("dry_run"):
        return respond.page("tracker/import.html", tried(file), has_report=False)
    with deadline(IMPORT_S):
        report, is_new = web_forms.once(primary, lambda: imported(file), key)
    refused = len(report["refused"])
    message = say(
        "Tasks added: %(added)s. Rows refused: %(refused)s.", added=report["added"], refused=refused
    )
    return respond.done(
        f"/tasks/import?report={quote(key)}", report, message=message, created=is_new
    )


def uploaded() -> IO[bytes]:
    """The file sent.  Raises Invalid if there is none, TooLarge."""
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        raise Invalid({"file": say("Choose a CSV file.")})
    if upload.stream.seek(0, 2) > FILE_MAX:
        raise TooLarge("The file has more than 20 MB; `exchange import` takes any size.")
    return upload.stream


def tried(file: IO[bytes]) -> Row:
    """What importing the file would do, and what that would cost; nothing is done."""
    file.seek(0)
    report = importing.Report()
    drafts = list(chain.from_iterable(importing.batches(file, report)))
    low, high = (100 * units * len(drafts) for units in current_app.config["EXCHANGE"].fee_range)
    people_count = reading(store).db.value(f"SELECT count(*) FROM person WHERE {DEALT_TO}")
    first = [{"title": draft.title, "jira_id": draft.jira_id} for draft in drafts[:SHOWN]]
    return {
        "added": 0,
        "refused": report.refused,
        "would_add": len(drafts),
        "first": first,
        "workers": people_count,
        "fees_cents": {"least": low, "most": high},
    }


def imported(file: IO[bytes]) -> Row:
    """All good rows of the file are tasks, in one transaction."""
    file.seek(0)
    report = importing.Report()
    drafts = list(chain.from_iterable(importing.batches(file, report)))
    report.added = actions.import_tasks(
        drafts, by=g.user.id, now=clock.now(), seed=chance.new_seed()
    )
    return {"added": report.added, "refused": report.refused}
