"""`/events`: the bus and the dead letters of all services."""

import time
from uuid import UUID

import pytest

from analytics import events
from common import stream
from common.db import deadline
from common.errors import Away
from common.service import services

BURY = """
    INSERT INTO dead_letter (stream, entry_id, event, error, trace, deliveries)
    SELECT 'events:tracker', n || '-0', '{"type": "task.added"}', 'ValueError: no', '', 3
    FROM generate_series(1, %s) AS n
"""


def bury(service: str, count: int = 1) -> None:
    found = next(each for each in services() if each.name == service)
    with deadline(60):
        found.primary().run(BURY, count)


def test_dead_letters_of_all_services_are_listed_newest_first(cast, client, replayed):
    for service in ("accounting", "tracker", "mailer", "gateway"):
        bury(service)
    replayed()

    facts = client("analytics", cast.fay).get("/events").json

    assert [one["service"] for one in facts["dead"]] == [
        "gateway",
        "mailer",
        "tracker",
        "accounting",
    ]
    newest = facts["dead"][0]
    assert set(newest) == {"id", "service", "event", "error", "deliveries", "at"}
    assert (newest["error"], newest["deliveries"]) == ("ValueError: no", 3)
    assert facts["away"] == []


def test_streams_say_how_far_each_group_is(cast, client):
    streams = client("analytics", cast.fay).get("/events").json["streams"]

    known = {(one["stream"], one["group"]): one for one in streams}
    assert set(known["events:gateway", "mailer"]) == {
        "stream",
        "group",
        "consumers",
        "lag",
        "pending",
        "pending_s",
        "oldest_s",
    }
    assert known["events:gateway", "mailer"]["lag"] == 0
    assert known["events:gateway", "mailer"]["consumers"] == 1


def test_what_the_bus_does_not_know_is_shown_as_unknown(cast, client, settings):
    with stream.connect(settings.bus_url) as bus:
        stream.publish(bus, "events:gateway", ["{", "{"])
        read = stream.read(bus, "mailer", "slow", ["events:gateway"], 1, own=False)
        bus.xdel("events:gateway", bus.xinfo_stream("events:gateway")["last-generated-id"])
    fay = client("analytics", cast.fay)

    streams = fay.get("/events").json["streams"]
    page = fay.get("/events", html=True).text

    [mailer] = [
        one for one in streams if (one["stream"], one["group"]) == ("events:gateway", "mailer")
    ]
    assert len(read) == 1
    assert (mailer["lag"], mailer["pending"], mailer["consumers"]) == (None, 1, 2)
    assert 0 <= mailer["pending_s"] < 60
    assert "unknown" in page


def test_pages_lead_to_every_letter_once(cast, client, replayed):
    bury("accounting", 30)
    bury("tracker", 30)
    replayed()
    fay = client("analytics", cast.fay)

    seen, path = [], "/events"
    while path:
        facts = fay.get(path).json
        seen += [UUID(one["id"]) for one in facts["dead"]]
        path = facts["next"] and f"/events?cursor={facts['next']}"

    assert len(seen) == len(set(seen)) == 60
    assert len(fay.get("/events.csv").text.splitlines()) == 61
    assert len(fay.get("/events.csv?service=tracker").text.splitlines()) == 31


def test_the_page_offers_to_redrive_and_to_discard(cast, client, replayed):
    bury("mailer")
    replayed()
    fay = client("analytics", cast.fay)
    [letter] = fay.get("/events").json["dead"]

    text = fay.get("/events", html=True).text

    assert f'action="/events/mailer/dead/{letter["id"]}/redrive"' in text
    assert f'action="/events/mailer/dead/{letter["id"]}/discard"' in text
    assert "As of" in text
    assert 'action="/events/mailer/dead/redrive"' in text
    assert "Redrive all of mailer (1)" in text
    assert "{\n  &#34;type&#34;: &#34;task.added&#34;\n}" in text


@pytest.mark.parametrize("path", ["/events", "/events.csv"])
def test_only_admins_see_events(cast, client, path):
    for person in cast:
        status = client("analytics", person).get(path).status_code
        assert status == (200 if person.role == "admin" else 403)


def test_a_source_that_is_away_is_said_and_not_fatal(cast, client, replayed, monkeypatch):
    bury("mailer")
    replayed()
    true_reading = events.reading

    def gone(store):
        if store.name == "tracker":
            raise Away("The tracker database does not answer; please try again.")
        return true_reading(store)

    monkeypatch.setattr(events, "reading", gone)
    fay = client("analytics", cast.fay)

    assert fay.get("/events").json["away"] == ["tracker"]
    assert [one["service"] for one in fay.get("/events").json["dead"]] == ["mailer"]
    assert "The tracker database does not answer" in fay.get("/events", html=True).text


def test_a_bus_that_is_away_is_said_and_not_fatal(cast, client, monkeypatch):
    monkeypatch.setattr(events.stream, "connect", lambda *_, **__: (_ for _ in ()).throw(OSError))
    fay = client("analytics", cast.fay)

    facts = fay.get("/events").json

    assert (facts["streams"], facts["away"]) == ([], ["bus"])
    assert "The bus does not answer" in fay.get("/events", html=True).text


def test_two_hundred_thousand_dead_letters_are_no_slower(cast, client, replayed):
    bury("accounting", 200_000)
    replayed()
    fay = client("analytics", cast.fay)

    def timed() -> float:
        start = time.perf_counter()
        assert "1,000+ in all" in fay.get("/events", html=True).text
        return time.perf_counter() - start

    assert min(timed() for _ in range(5)) < 0.3
