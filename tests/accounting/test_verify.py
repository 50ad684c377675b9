from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner

from accounting import actions, jobs, payouts, verify
from accounting.models import primary
from common import clock
from common.cli import main
from tests.accounting.conftest import (
    MONDAY,
    NOON,
    added,
    balances,
    completed,
    dealt,
    new_id,
    tell,
    withdrawn,
)

DAY = timedelta(days=1)


@pytest.fixture
def two_days() -> tuple[UUID, UUID]:
    """Bob earns and Cat does not; Monday is closed, Tuesday is open with something in it."""
    bob, cat, task, run = new_id(), new_id(), new_id(), new_id()
    tell(added(bob), completed(bob), completed(bob), added(cat), dealt((task, cat), run_id=run))
    actions.close_day(MONDAY, by=None, now=NOON)
    payouts.pay_all(now=NOON)
    tell(added(bob), withdrawn(cat, task, run))
    return bob, cat


def found() -> Iterator[str]:
    return verify.differences()


def test_an_untouched_ledger_agrees_with_itself(two_days: tuple[UUID, UUID]) -> None:
    assert (list(found()), verify.count()) == ([], 8)


def test_who_is_paid_again_is_still_one_person(two_days: tuple[UUID, UUID]) -> None:
    bob, _ = two_days
    for _ in range(3):
        tell(completed(bob))

    assert list(found()) == []
    assert primary.value("SELECT due_count FROM tally") == 1


HARM = pytest.mark.parametrize(
    ("harm", "named"),
    [
        ("UPDATE total SET fees_cents = fees_cents + 1 WHERE worker_id = %s", "worker {bob}"),
        ("UPDATE total SET carried_cents = carried_cents - 1 WHERE worker_id = %s", "worker {bob}"),
        ("UPDATE account SET carried_cents = 5 WHERE id = %s", "worker:{bob}"),
        ("DELETE FROM total WHERE worker_id = %s AND carried_cents IS NULL", "worker {bob}"),
        ("DELETE FROM transfer WHERE worker_id = %s AND kind = 'payout'", "worker {bob}"),
        (
            "UPDATE business_day SET fees_cents = 0 WHERE day = '2026-03-02' AND %s <> ''",
            "day 2026-",
        ),
        (
            "UPDATE business_day SET workers_in_minus = 7 WHERE state <> 'open' AND %s <> ''",
            "day 20",
        ),
        ("UPDATE payout_run SET paid_cents = 1 WHERE %s <> ''", "payout run of 2026-03-02"),
        ("UPDATE payout_run SET told_count = 0 WHERE %s <> ''", "payout run of 2026-03-02"),
        ("UPDATE tally SET newly_count = newly_count + 1 WHERE %s <> ''", "tally (t,"),
    ],
)


def do_harm(harm: str, worker_id: UUID) -> None:
    """The statement has its way, whatever stands guard."""
    with primary.atomic():
        primary.run("ALTER TABLE transfer DISABLE TRIGGER USER")
        primary.run("GRANT UPDATE, DELETE ON transfer TO CURRENT_USER")
        primary.run(harm, str(worker_id))
        primary.run("REVOKE UPDATE, DELETE ON transfer FROM CURRENT_USER")
        primary.run("ALTER TABLE transfer ENABLE TRIGGER USER")


@HARM
def test_a_change_behind_its_back_is_named(
    two_days: tuple[UUID, UUID], harm: str, named: str
) -> None:
    bob, _ = two_days
    do_harm(harm, bob)

    sentences = list(found())

    assert any(named.format(bob=bob) in sentence for sentence in sentences)


def test_the_books_are_verified_once_after_a_day_was_closed(two_days: tuple[UUID, UUID]) -> None:
    jobs.tick()
    first = verify.last(primary)
    do_harm("UPDATE total SET fees_cents = fees_cents + 1 WHERE worker_id = %s", two_days[0])
    jobs.tick()
    again = verify.last(primary)
    with clock.hold(NOON + 2 * DAY):
        jobs.tick()
    wrong = verify.last(primary)

    assert first
    assert wrong
    assert (first["day"], first["at"], first["ok"], first["transfers"]) == (MONDAY, NOON, True, 8)
    assert again == first
    assert (wrong["day"], wrong["at"], wrong["ok"]) == (MONDAY + DAY, NOON + 2 * DAY, False)
    assert wrong["findings"] >= 1
    assert f"worker {two_days[0]}" in wrong["sentences"][0]


def test_nothing_is_verified_before_a_day_is_closed_and_paid() -> None:
    tell(completed(new_id()))
    jobs.tick()
    actions.close_day(MONDAY, by=None, now=NOON)

    assert not verify.verify_after_closing(now=NOON)
    assert verify.last(primary) is None


def test_a_transfer_is_reversed_from_the_command_line(two_days: tuple[UUID, UUID]) -> None:
    bob, _ = two_days
    before = balances()[bob]
    reward = primary.row("SELECT * FROM transfer WHERE kind = 'completion_reward' LIMIT 1")
    assert reward
    command = ["ledger", "reverse", str(reward["id"]), "--reason", "Paid by mistake."]

    first = CliRunner().invoke(main, command)
    second = CliRunner().invoke(main, command)

    assert (first.exit_code, second.exit_code) == (0, 1)
    assert second.output == "Error: This transfer was reversed before.\n"
    assert balances()[bob] == before - reward["amount_cents"]
    assert list(found()) == []


def test_payouts_are_run_from_the_command_line() -> None:
    tell(completed(new_id()))

    first = CliRunner().invoke(main, ["payouts", "run", "--day", f"{MONDAY}"])
    second = CliRunner().invoke(main, ["payouts", "run"])
    third = CliRunner().invoke(main, ["payouts", "run", "--day", f"{MONDAY}"])

    assert f"{MONDAY}: " in first.output
    assert "paid, 1 workers settled." in first.output
    assert second.output == "Nothing to pay. The books are open for 2026-03-03.\n"
    assert (first.exit_code, second.exit_code, third.exit_code) == (0, 0, 1)
