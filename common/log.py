"""What the processes say: JSON for programs or a line for people, with the ids at hand."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from common.config import Config
from common.errors import Misconfigured

# Of the request in hand, as the gateway numbered it.
request_id: ContextVar[str] = ContextVar("request_id", default="")
# W3C traceparent: of the request, or of the event or run whose effect is being made.
trace: ContextVar[str | None] = ContextVar("traceparent", default=None)

USUAL = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def trace_id(traceparent: str | None) -> str:
    """The id that all of a trace share: what follows from one click has one.  Empty if none."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else ""


def ids_of(record: logging.LogRecord) -> dict[str, object]:
    """What stands beside the message: the ids at hand and what was given as `extra`."""
    known = {"request": request_id.get(), "trace": trace_id(trace.get())}
    given = {key: value for key, value in vars(record).items() if key not in USUAL}
    return {key: value for key, value in (known | given).items() if value}


class Json(logging.Formatter):
    """One object a line; a traceback is one of its fields."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self.process,
            "logger": record.name,
            "message": record.getMessage(),
            **ids_of(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class Plain(logging.Formatter):
    """A line to be read, its ids behind it."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s%(ids)s")

    def format(self, record: logging.LogRecord) -> str:
        record.__dict__["ids"] = "".join(f" {key}={value}" for key, value in ids_of(record).items())
        try:
            return super().format(record)
        finally:
            del record.__dict__["ids"]


def begin(settings: Config, process: str) -> None:
    """The process logs as EXCHANGE_LOG and EXCHANGE_LOG_LEVEL say.  Raises Misconfigured."""
    kind = settings.get("EXCHANGE_LOG", "json")
    level = logging.getLevelNamesMapping().get(settings.get("EXCHANGE_LOG_LEVEL", "info").upper())
    if kind not in ("json", "plain"):
        raise Misconfigured(f"EXCHANGE_LOG is {kind!r} and must be json or plain.")
    if level is None:
        raise Misconfigured("EXCHANGE_LOG_LEVEL must be debug, info, warning or error.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json(process) if kind == "json" else Plain())
    logging.basicConfig(level=level, handlers=[handler], force=True)
