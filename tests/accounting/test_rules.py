"""The rules of the ledger stand in the database, whoever asks it."""

from uuid import UUID

import pytest
from peewee import IntegrityError, ProgrammingError

from accounting import actions
from accounting.models import CASH, INCOME, primary
from tests.accounting.conftest import MONDAY, NOON, added, completed, new_id, tell

COPY = """
    INSERT INTO transfer (kind, debit_id, credit_id, worker_id, amount_cents, day, occurred_at,
                          posted_at, task_id, run_id, reverses_id)
    SELECT kind, debit_id, credit_id, worker_id, amount_cents, {day}, occurred_at, posted_at,
           {task}, run_id, reverses_id FROM transfer WHERE kind = '{kind}' LIMIT 1
"""


def copy(kind: str, day: str = "day", task: str = "task_id") -> None:
    with primary.atomic():
        primary.run(COPY.format(kind=kind, day=day, task=task))


def insert(kind: str, debit: UUID, credit: UUID, worker: UUID, cents: int = 100) -> None:
    with primary.atomic():
        primary.run(
            "INSERT INTO transfer (kind, debit_id, credit_id, worker_id, amount_cents, day,"
            " occurred_at, posted_at, task_id, run_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, now(), now(), new_id(), new_id())",
            *(kind, debit, credit, worker, cents, MONDAY),
        )


@pytest.fixture
def bob() -> UUID:
    worker_id = new_id()
    tell(added(worker_id), completed(worker_id))
    return worker_id


@pytest.mark.parametrize("change", ["UPDATE transfer SET amount_cents = 1", "DELETE FROM transfer"])
def test_a_transfer_is_neither_changed_nor_deleted(bob: UUID, change: str) -> None:
    before = primary.rows("TABLE transfer")

    with pytest.raises(ProgrammingError, match="permission denied"):
        primary.run(change)

    assert primary.rows("TABLE transfer") == before


@pytest.mark.parametrize("change", ["UPDATE transfer SET amount_cents = 1", "DELETE FROM transfer"])
def test_a_trigger_says_so_to_those_with_the_right(bob: UUID, change: str) -> None:
    with primary.atomic() as transaction:
        primary.run("GRANT UPDATE, DELETE ON transfer TO CURRENT_USER")

        with pytest.raises(IntegrityError, match="only ever added"):
            primary.run(change)

        transaction.rollback()


@pytest.mark.promise(23)
@pytest.mark.parametrize("kind", ["deal_fee", "completion_reward"])
def test_a_key_is_used_once(bob: UUID, kind: str) -> None:
    with pytest.raises(IntegrityError, match=f"transfer_{kind}"):
        copy(kind)


@pytest.mark.promise(23)
@pytest.mark.promise(25)
def test_a_worker_is_paid_once_a_day(bob: UUID) -> None:
    actions.close_day(MONDAY, by=None, now=NOON)
    insert("payout", bob, CASH, bob)

    with pytest.raises(IntegrityError, match="transfer_payout"):
        insert("payout", bob, CASH, bob)


def test_a_day_that_was_never_opened_takes_nothing(bob: UUID) -> None:
    with pytest.raises(IntegrityError, match="never opened"):
        copy("deal_fee", day="day + 1", task="new_id()")


def test_a_day_being_closed_takes_nothing_but_payouts(bob: UUID) -> None:
    actions.close_day(MONDAY, by=None, now=NOON)

    with pytest.raises(IntegrityError, match="closing"):
        copy("deal_fee", task="new_id()")

    insert("payout", bob, CASH, bob)


def test_an_open_day_takes_no_payout(bob: UUID) -> None:
    with pytest.raises(IntegrityError, match="open"):
        insert("payout", bob, CASH, bob)


def test_sides_follow_from_the_kind(bob: UUID) -> None:
    cat = new_id()

    for kind, debit, credit, worker in [
        ("deal_fee", INCOME, bob, bob),
        ("deal_fee", bob, INCOME, cat),
        ("deal_fee", bob, cat, bob),
        ("completion_reward", bob, INCOME, bob),
        ("payout", CASH, bob, bob),
        ("reversal", bob, INCOME, bob),
        ("gift", bob, INCOME, bob),
    ]:
        with pytest.raises(IntegrityError, match=r"transfer_(sides|reversal)"):
            insert(kind, debit, credit, worker)


def test_an_amount_is_positive(bob: UUID) -> None:
    with pytest.raises(IntegrityError, match="amount_cents"):
        insert("deal_fee", bob, INCOME, bob, cents=0)


def test_only_one_day_is_open(bob: UUID) -> None:
    with pytest.raises(IntegrityError, match="one_open"):
        primary.run(
            "INSERT INTO business_day (day, state, opened_at) VALUES ('2027-01-01', 'open', now())"
        )
