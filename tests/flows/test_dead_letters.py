"""An event nobody could handle is shown to an admin, who redrives or discards it."""

from collections.abc import Callable
from typing import Any

import pytest

from common import stream
from common.config import Config
from common.service import load, services
from tests.conftest import Cast, Client

OWNERS = ["accounting", "mailer", "tracker"]
JOINED = (
    '{"id": "01900000-0000-7000-8000-0000000000ff", "source": "/gateway", "type": "user.added",'
    ' "time": "2026-11-02T12:00:00Z", "dataschema": "user.added/1", "data": {"user_id":'
    ' "01900000-0000-7000-8000-0000000000fe", "email": "gus@example.com", "name": "Gus",'
    ' "role": "worker", "is_active": true, "user_version": 1}}'
)


def bury(settings: Config, name: str, text: str) -> None:
    service = next(one for one in services() if one.name == name)
    stream.publish(stream.connect(settings.bus_url), stream.name_of(service.listens[0]), [text])
    service.consumer(settings).drain()


@pytest.mark.parametrize("owner", OWNERS)
def test_an_unreadable_event_is_shown_and_can_be_discarded(
    owner: str,
    cast: Cast,
    client: Callable[..., Client],
    settings: Config,
    replayed: Callable[[], None],
) -> None:
    bury(settings, owner, '{"no": "envelope"}')
    replayed()
    [dead] = client("analytics", cast.fay).get("/events").json["dead"]
    path = f"/events/{owner}/dead/{dead['id']}"
    fay = client(owner, cast.fay)

    assert (dead["service"], dead["event"]) == (owner, '{"no": "envelope"}')
    assert fay.post(f"{path}/redrive").status_code == 409
    assert client(owner, cast.ann).post(f"{path}/discard", {"reason": "x"}).status_code == 403
    assert fay.post(f"{path}/discard").status_code == 422
    assert fay.post(f"{path}/discard", {"reason": "a test"}).status_code == 200
    assert fay.post(f"{path}/discard", {"reason": "a test"}).status_code == 404


def test_a_redriven_event_has_its_effect(
    cast: Cast,
    client: Callable[..., Client],
    pump: Callable[[], int],
    settings: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fay, ann = client("accounting", cast.fay), client("tracker", cast.ann)
    handlers: dict[Any, Any] = load("accounting.handlers:HANDLERS")
    broken = dict.fromkeys(handlers, lambda events: 1 / 0)
    monkeypatch.setattr("common.service.load", lambda reference: broken)
    ann.post("/tasks", {"title": "Lost at first", "description": ""})
    accounting = next(one for one in services() if one.name == "accounting")
    next(one for one in services() if one.name == "tracker").relay(settings).drain()
    consumer = accounting.consumer(settings)
    for _ in range(3):
        consumer.drain()
    [dead] = accounting.primary().rows("SELECT id FROM dead_letter")

    answer = fay.post(f"/events/accounting/dead/{dead['id']}/redrive")

    assert answer.status_code == 200
    assert accounting.primary().value("SELECT count(*) FROM transfer") == 1


def test_all_of_a_service_are_redriven_by_an_admin_and_what_fails_stays(
    cast: Cast, client: Callable[..., Client], settings: Config
) -> None:
    tracker = next(one for one in services() if one.name == "tracker").primary()
    for _ in range(3):
        bury(settings, "tracker", "{")
    known = tracker.value("SELECT event FROM dead_letter LIMIT 1")
    tracker.run("UPDATE dead_letter SET event = %s WHERE id = (SELECT min(id::text)::uuid FROM"
                " dead_letter)", JOINED)  # fmt: skip
    fay = client("tracker", cast.fay)

    refused = client("tracker", cast.ann).post("/events/tracker/dead/redrive")
    answer = fay.post("/events/tracker/dead/redrive")

    assert (known, refused.status_code) == ("{", 403)
    assert answer.json == {"handled": 1, "failed": 2, "left": 2}
    assert tracker.value("SELECT count(*) FROM person WHERE name = 'Gus'") == 1
    assert tracker.value("SELECT done_by FROM bus_log") == str(cast.fay.id)
