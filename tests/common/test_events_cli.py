"""`exchange events …`, on the dead letters of a real service."""

from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result

from common import clock, dead
from common.cli import main
from common.config import Config
from common.events import UserAdded
from common.outbox import Outbox
from common.service import services

GATEWAY, TRACKER = (next(s for s in services() if s.name == n) for n in ("gateway", "tracker"))
ENVELOPE = (
    '{{"id": "{0}", "source": "/gateway", "type": "user.added", "time": "2026-11-02T12:00:00Z",'
    ' "dataschema": "user.added/1", "data": {{"user_id": "{0}", "email": "gus@example.com",'
    ' "name": "Gus", "role": "worker", "is_active": true, "user_version": 1}}}}'
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["events", *arguments])


def bury(text: str) -> str:
    return str(
        TRACKER.primary().value(
            "INSERT INTO dead_letter (stream, entry_id, event, error, trace, deliveries)"
            " VALUES ('events:gateway', %s, %s, 'it failed', '', 3) RETURNING id",
            str(uuid4()),
            text,
        )
    )


def people() -> int:
    return TRACKER.primary().value("SELECT count(*) FROM person")


def left() -> list[str]:
    return [str(row["id"]) for row in TRACKER.primary().rows("SELECT id FROM dead_letter")]


@pytest.mark.promise(13)
def test_a_letter_is_redriven_by_its_owner_once(clean: None) -> None:
    dead_id = bury(ENVELOPE.format(uuid4()))

    first = run("redrive", dead_id, "--by", "Fay")
    again = run("redrive", dead_id, "--by", "Fay")

    assert (first.exit_code, first.output) == (0, "1 handled.\n")
    assert (again.exit_code, "no such dead letter" in again.output) == (1, True)
    assert (people(), left()) == (1, [])
    [logged] = TRACKER.primary().rows("SELECT done_by, what, detail FROM bus_log")
    assert (logged["done_by"], logged["what"]) == ("Fay", "redriven")
    assert dead_id in logged["detail"]


@pytest.mark.promise(13)
def test_redriving_what_has_happened_does_nothing(clean: None) -> None:
    text = ENVELOPE.format(uuid4())
    run("redrive", bury(text))
    TRACKER.primary().run("UPDATE person SET name = 'Changed since'")

    result = run("redrive", bury(text))

    assert result.exit_code == 0
    assert TRACKER.primary().value("SELECT name FROM person") == "Changed since"


def test_all_letters_are_redriven_and_those_that_fail_are_named(clean: None) -> None:
    good = [bury(ENVELOPE.format(uuid4())) for _ in range(dead.BATCH + 5)]
    bad = [bury("{"), bury(ENVELOPE.format("no-id"))]

    result = run("redrive", "--all", "--service", "tracker")

    assert result.exit_code == 1
    assert result.output.startswith(f"{len(good)} handled.\n")
    assert all(f"{each} failed again: " in result.output for each in bad)
    assert people() == len(good)
    assert sorted(left()) == sorted(bad)


def test_a_letter_is_discarded_with_a_reason(clean: None) -> None:
    dead_id = bury("{")

    without = run("discard", dead_id)
    done = run("discard", dead_id, "--reason", "a test", "--by", "Fay")
    again = run("discard", dead_id, "--reason", "a test")

    assert [each.exit_code for each in (without, done, again)] == [2, 0, 1]
    row = TRACKER.primary().row("SELECT id, reason, discarded_by FROM discarded_letter")
    assert row == {"id": UUID(dead_id), "reason": "a test", "discarded_by": "Fay"}


def test_events_are_published_again_since_a_moment(clean: None, settings: Config) -> None:
    began = clock.now()
    gateway = GATEWAY.primary()
    with gateway.atomic():
        Outbox(gateway, "gateway").add(
            UserAdded(user_id=uuid4(), email="g@example.com", name="Gus", role="worker",
                      is_active=True, user_version=1)
        )  # fmt: skip
    relay = GATEWAY.relay(settings)
    relay.drain()

    result = run("republish", "--since", began.isoformat(), "--service", "gateway", "--by", "Fay")

    assert (result.exit_code, result.output) == (0, "gateway: 1 events go again.\n")
    assert relay.drain() == 1
    assert gateway.value("SELECT done_by FROM bus_log") == "Fay"


@pytest.mark.parametrize(
    "arguments",
    [
        ("republish",),
        ("republish", "--since", "yesterday"),
        ("republish", "--since", "2999-01-01T00:00Z"),
        ("republish", "--since", "2026-11-02", "--service", "nobody"),
        ("redrive",),
        ("redrive", "--all", "01900000-0000-7000-8000-000000000001"),
        ("redrive", "not-an-id"),
    ],
)
def test_wrong_usage_exits_2_and_does_nothing(arguments: tuple[str, ...], clean: None) -> None:
    assert run(*arguments).exit_code == 2
    assert TRACKER.primary().value("SELECT count(*) FROM bus_log") == 0
