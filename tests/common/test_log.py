"""What a process says: fields for programs, a line for people, the ids in both."""

import json
import logging

import pytest

from common import log
from common.config import Config
from common.errors import Misconfigured

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def nothing_at_hand() -> None:
    """No request of another test is still known."""
    log.request_id.set("")
    log.trace.set(None)


def line(**extra: object) -> logging.LogRecord:
    record = logging.makeLogRecord({"name": "runs", "levelname": "INFO", "msg": "%s is done"})
    record.args = ("it",)
    vars(record).update(extra)
    return record


def test_json_has_the_message_the_process_and_every_id_at_hand() -> None:
    token = log.trace.set(TRACE)

    told = json.loads(log.Json("tracker-work").format(line(run="0190")))

    log.trace.reset(token)
    assert told.pop("at").endswith("+00:00")
    assert told == {
        "level": "info",
        "process": "tracker-work",
        "logger": "runs",
        "message": "it is done",
        "trace": "0af7651916cd43dd8448eb211c80319c",
        "run": "0190",
    }


def test_json_keeps_a_traceback_on_its_line() -> None:
    try:
        raise ValueError("of two\nlines")
    except ValueError as error:
        record = line(exc_info=(ValueError, error, error.__traceback__))

    text = log.Json("tracker-web").format(record)

    assert "\n" not in text
    assert "of two\nlines" in json.loads(text)["traceback"]


def test_plain_is_read_as_it_stands() -> None:
    assert log.Plain().format(line(run="0190")) == "INFO runs: it is done run=0190"


@pytest.mark.parametrize("name", ["EXCHANGE_LOG", "EXCHANGE_LOG_LEVEL"])
def test_a_wrong_setting_is_named(name: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        log.begin(Config({name: "loud"}), "tracker-web")
