from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from click.testing import CliRunner

from accounting import actions, payouts, verify
from accounting.models import primary
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
    result = CliRunner().invoke(main, ["ledger", "verify"])

    assert (list(found()), result.exit_code) == ([], 0)
    assert result.output == "All balances and totals follow from the 8 transfers.\n"


@pytest.mark.parametrize(
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
    ],
)
def test_a_change_behind_its_back_is_named(
    two_days: tuple[UUID, UUID], harm: str, named: str
) -> None:
    bob, _ = two_days
    with primary.atomic():
        primary.run("ALTER TABLE transfer DISABLE TRIGGER USER")
        primary.run("GRANT UPDATE, DELETE ON transfer TO CURRENT_USER")
        primary.run(harm, str(bob))
        primary.run("REVOKE UPDATE, DELETE ON transfer FROM CURRENT_USER")
        primary.run("ALTER TABLE transfer ENABLE TRIGGER USER")

    result = CliRunner().invoke(main, ["ledger", "verify"])

    assert result.exit_code == 1
    assert named.format(bob=bob) in result.output
    assert "does not agree with itself" in result.output


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
