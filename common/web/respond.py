"""Answers: a page or its JSON twin from the same facts, redirects after POST, refusals, CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response, g, render_template, request
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from common.errors import Invalid
from common.say import say
from common.web.flash import flash
from common.web.language import translated

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "static"
SENTENCES = {
    400: say("This request could not be read."),
    404: say("There is no such page."),
    405: say("This address does not answer that kind of request."),
    413: say("That is too large to be taken."),
    415: say("Please send this as a form."),
}


def use_templates(app: Flask) -> None:
    """Templates are the service's own, then the common ones."""
    own = [app.jinja_loader] if app.jinja_loader else []
    shared = FileSystemLoader(str(ROOT / "templates"))
    app.jinja_loader = ChoiceLoader([*own, shared])


def wants_json() -> bool:
    """Whether the caller asked for JSON rather than a page."""
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"]) == "application/json"


def json(facts: Any, status: int = 200) -> Response:
    return Response(
        msgspec.json.encode(facts, enc_hook=translated), status, mimetype="application/json"
    )


def page(template: str, facts: Mapping[str, Any], status: int = 200, **extra: Any) -> Response:
    """The facts as JSON, or as the page that shows them; `extra` is for the page alone."""
    if wants_json():
        return json(facts, status)
    return Response(render_template(template, **facts, **extra), status, mimetype="text/html")


def done(location: str, thing: Any, *, message: str = "", created: bool = False) -> Response:
    """After a POST: 303 to the thing; or, as JSON, the thing, 201 if it was made just now."""
    if wants_json():
        return json(thing, 201 if created else 200)
    if message:
        flash(translated(message))
    return see_other(location)


def see_other(location: str) -> Response:
    return Response(status=303, headers={"Location": location})


def error_page(status: int, sentence: str) -> Response:
    """A refusal in a sentence, as JSON or as a page."""
    headers = {"Retry-After": "5"} if status in (429, 503) else {}
    if wants_json() or (g.get("user") is None and status == 401):
        answer = json({"error": sentence}, status)
    else:
        text = render_template("error.html", status=status, sentence=sentence)
        answer = Response(text, status, mimetype="text/html")
    answer.headers.update(headers)
    return answer


def sentence_of(error: HTTPException) -> str:
    if isinstance(error, RequestEntityTooLarge):
        return SENTENCES[413]
    return SENTENCES.get(error.code or 500, error.name + ".")


def form(template: str, context: Callable[..., Mapping[str, Any]] = lambda **_: {}) -> Callable:
    """For a POST view: if its fields are refused, `template` shows them again as typed.

    `context` is called with the view's own arguments for what else the page needs.
    """

    def decorate(view: Callable) -> Callable:
        def wrapped(**arguments: Any) -> Any:
            g.form_page = template, context, arguments
            return view(**arguments)

        wrapped.__name__ = view.__name__
        return wrapped

    return decorate


def form_again(error: Invalid) -> Response:
    """422: `{"error", "fields"}`, or the form with what was typed and the reason at each field."""
    if wants_json() or "form_page" not in g:
        return json({"error": error.sentence, "fields": error.fields}, error.status)
    template, context, arguments = g.form_page
    facts = context(**arguments)
    shown = {"form": request.form, "errors": error.fields, "problem": error.sentence}
    return page(template, facts, error.status, **shown)


def spell(value: Any) -> str:
    """A CSV cell: numbers bare, a person or task by its name; text that a spreadsheet could take
    for a formula gets one apostrophe.
    """
    if isinstance(value, Mapping):
        value = value.get("name") or value.get("title")
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    text = value if isinstance(value, str) else msgspec.json.decode(msgspec.json.encode(value))
    if not isinstance(text, str):
        text = msgspec.json.encode(text).decode()
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def csv_stream(filename: str, header: list[str], rows: Iterable[Mapping[str, Any]]) -> Response:
    """Every row, streamed: UTF-8, RFC 4180, the header is the JSON names."""

    def lines() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(header)
        for row in rows:
            writer.writerow([spell(row[name]) for name in header])
            if buffer.tell() > 32_768:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue()

    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(lines(), mimetype="text/csv", headers=headers)
