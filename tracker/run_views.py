"""Reassignments: preview, ask for, watch, steer."""

from functools import cache
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, current_app, g, request

from common import chance, clock, jobs, people
from common.db import deadline
from common.errors import Conflict
from common.say import say
from common.web import forms, look_up, paging, reading, require, respond
from tracker import reassignments, runs
from tracker.models import primary, store

bp = Blueprint("reassignments", __name__)

TICK = "tracker.jobs.tick"
CHECK_S = 50


@bp.before_request
def managers_only() -> None:
    require("manager", "admin")


@cache
def previews_of(secret_keys: tuple[str, ...]) -> reassignments.Previews:
    return reassignments.Previews(secret_keys)


def previews() -> reassignments.Previews:
    return previews_of(current_app.config["EXCHANGE"].secret_keys)


def at(run_id: Any) -> str:
    return f"/reassignments/{run_id}"


@bp.get("/reassignments")
def index() -> Response:
    found = reading(store)
    kind = asked_kind()
    key = paging.asked(UUID)
    rows = reassignments.page(found.db, kind, key[0] if key else None, paging.SIZE + 1)
    shown, following = paging.cut(rows)
    facts = {"reassignments": shown, "next": following}
    return respond.page("tracker/reassignments.html", facts, kind=kind, age=found.age)


@bp.get("/reassignments.csv")
def export() -> Response:
    rows = reassignments.every(reading(store).db, asked_kind())
    return respond.csv_stream("reassignments.csv", reassignments.NAMES, rows)


def asked_kind() -> str:
    return "departure" if request.args.get("kind") == "departure" else "reassignment"


@bp.get("/reassignments/new")
def new() -> Response:
    return respond.page("tracker/preview.html", previews().look(reading(store).db))


@bp.post("/reassignments")
def request_one() -> Response:
    expected = request.form.get("expected", "")
    try:
        (run_id, is_asked), is_new = forms.once(primary, lambda: requested(expected))
    except StaleExpectation as error:
        return shown_anew(error)
    jobs.wake("tracker", TICK)
    run = reassignments.facts(reassignments.one(primary, run_id))
    message = "" if is_asked else say("A reassignment is under way already; this is it.")
    return respond.done(at(run_id), run, message=message, created=is_new and is_asked)


class StaleExpectation(Conflict):
    """What the preview showed is no longer so."""


def requested(expected: str) -> tuple[UUID, bool]:
    def check() -> None:
        if expected:
            try:
                previews().check(primary, expected)
            except Conflict as error:
                raise StaleExpectation(error.sentence) from error

    return runs.request_reassignment(
        by=g.user.id, now=clock.now(), seed=chance.new_seed(), check=check
    )


def shown_anew(error: Conflict) -> Response:
    """409, with what is so now."""
    if respond.wants_json():
        return respond.error_page(error.status, error.sentence)
    facts = previews().look(primary)
    return respond.page("tracker/preview.html", facts, error.status, problem=error)


@bp.get("/reassignments/<uuid:run_id>")
def show(run_id: UUID) -> Response:
    row, found = look_up(store, lambda db: reassignments.one(db, run_id))
    extra: dict[str, Any] = {"pace": reassignments.pace(row), "age": found.age, "row": row}
    people_shown = [each for each in (row["requested_by"], row["leaver_id"]) if each]
    if request.args.get("check") == "all" and row["state"] in reassignments.OVER:
        with deadline(CHECK_S):
            extra["check"] = reassignments.check(found.db, run_id)
        people_shown += [each["assignee_id"] for each in extra["check"]["per_worker"]]
    names = people.names(found.db, people_shown)
    extra["person"] = lambda person_id: people.reference(person_id, names)
    return respond.page("tracker/run.html", reassignments.facts(row), **extra)


@bp.post("/reassignments/<uuid:run_id>/cancellation")
def cancel(run_id: UUID) -> Response:
    runs.cancel(run_id, now=clock.now())
    jobs.wake("tracker", TICK)
    return steered(run_id, say("The reassignment was cancelled; what it dealt stays dealt."))


@bp.post("/reassignments/<uuid:run_id>/pause")
def pause(run_id: UUID) -> Response:
    runs.pause(run_id)
    return steered(run_id, say("The reassignment is paused."))


@bp.post("/reassignments/<uuid:run_id>/resumption")
def resume(run_id: UUID) -> Response:
    runs.resume(run_id)
    jobs.wake("tracker", TICK)
    return steered(run_id, say("The reassignment goes on."))


def steered(run_id: UUID, message: str) -> Response:
    facts = reassignments.facts(reassignments.one(primary, run_id))
    return respond.done(at(run_id), facts, message=message)
