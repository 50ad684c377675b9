from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from accounting import actions, books, jobs, payouts
from accounting.models import Agreed, Terms, primary
from common import clock
from common.errors import Away, Conflict, NotFound
from tests.accounting.conftest import (
    MONDAY,
    NOON,
    added,
    balances,
    completed,
    kinds,
    new_id,
    price,
    tell,
    workers_with_rewards,
)

DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def days() -> dict[date, str]:
    """`{day: state}`."""
    rows = primary.rows("SELECT day, state FROM business_day ORDER BY day")
    return {row["day"]: row["state"] for row in rows}


def test_closing_a_day_opens_the_next_and_asks_for_payouts() -> None:
    dan, workers = new_id(), workers_with_rewards(2)

    run = actions.close_day(MONDAY, by=dan, now=NOON)

    assert days() == {MONDAY: "closing", MONDAY + DAY: "open"}
    assert (run["state"], run["total"], run["requested_by"]) == ("requested", len(workers), dan)


def test_a_day_is_closed_once() -> None:
    books.open_books(MONDAY, now=NOON)
    actions.close_day(MONDAY, by=None, now=NOON)

    with pytest.raises(Conflict, match="already closed"):
        actions.close_day(MONDAY, by=None, now=NOON)

    assert days() == {MONDAY: "closing", MONDAY + DAY: "open"}


@pytest.mark.parametrize("ahead", [1, 2])
def test_a_day_that_has_not_begun_is_not_closed(ahead: int) -> None:
    books.open_books(MONDAY, now=NOON)
    actions.close_day(MONDAY, by=None, now=NOON)

    with pytest.raises(Conflict, match="not begun" if ahead == 1 else "not open"):
        actions.close_day(MONDAY + ahead * DAY, by=None, now=NOON)


def test_what_happens_after_an_early_close_belongs_to_the_next_day() -> None:
    books.open_books(MONDAY, now=NOON)
    actions.close_day(MONDAY, by=None, now=NOON)

    tell(completed(new_id()))

    assert primary.value("SELECT day FROM transfer") == MONDAY + DAY


def test_busy_books_are_not_waited_for_without_end() -> None:
    books.open_books(MONDAY, now=NOON)
    other = type(primary)(None)
    other.open(primary.database)
    with other.atomic():
        other.execute_sql(books.SHARED)

        with pytest.raises(Away, match="busy"):
            actions.close_day(MONDAY, by=None, now=NOON, wait_s=1)

    other.close_quietly()
    assert days() == {MONDAY: "open"}


def close_impatiently() -> None:
    """In a thread of its own, for a second."""
    try:
        actions.close_day(MONDAY, by=None, now=NOON, wait_s=1)
    finally:
        primary.close_quietly()


@pytest.mark.promise(22)
def test_a_day_is_not_closed_while_a_transfer_is_being_posted_to_it() -> None:
    books.open_books(MONDAY, now=NOON)

    with ThreadPoolExecutor(1) as accountant, primary.atomic():
        tell(added(new_id()))

        with pytest.raises(Away, match="busy"):
            accountant.submit(close_impatiently).result()

    assert days() == {MONDAY: "open"}


@pytest.mark.promise(22)
def test_the_day_one_was_told_is_open_stays_open() -> None:
    books.open_books(MONDAY, now=NOON)

    with ThreadPoolExecutor(1) as accountant, primary.atomic():
        books.share(NOON)

        with pytest.raises(Away, match="busy"):
            accountant.submit(close_impatiently).result()

    assert days() == {MONDAY: "open"}


@pytest.mark.promise(26)
def test_missed_days_are_closed_in_order_and_each_is_paid() -> None:
    books.open_books(MONDAY, now=NOON)
    (bob,) = workers_with_rewards(1)

    with clock.hold(NOON + 3 * DAY):
        jobs.tick()
        jobs.tick()

    states = ["closed", "closed", "closed", "open"]
    assert days() == {MONDAY + n * DAY: state for n, state in enumerate(states)}
    runs = primary.rows("SELECT day, state, total FROM payout_run ORDER BY id")
    assert [(run["day"], run["total"]) for run in runs] == [
        (MONDAY, 1),
        (MONDAY + DAY, 0),
        (MONDAY + 2 * DAY, 0),
    ]
    assert balances() == {bob: 0}


def test_a_tick_opens_books_never_opened() -> None:
    jobs.tick()

    assert days() == {MONDAY: "open"}


@pytest.mark.promise(27)
@pytest.mark.parametrize(
    ("day", "ends"),
    [
        # Clocks go forward in the night before this day, so it has 23 hours.
        (date(2026, 3, 29), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        # And back: 25 hours, one of them twice.
        (date(2026, 10, 25), datetime(2026, 10, 25, 23, tzinfo=UTC)),
    ],
)
def test_each_date_is_closed_once_at_its_end_when_clocks_change(
    monkeypatch: pytest.MonkeyPatch, day: date, ends: datetime
) -> None:
    monkeypatch.setattr(Agreed, "terms", Terms(zone=BERLIN))
    starts = datetime.combine(day, datetime.min.time(), BERLIN).astimezone(UTC)
    books.open_books(day - DAY, now=starts)

    moment = starts - timedelta(hours=2)
    while moment < ends + timedelta(hours=2):
        with clock.hold(moment):
            jobs.tick()
        moment += timedelta(minutes=20)

    runs = primary.rows("SELECT day, requested_at FROM payout_run ORDER BY day")
    assert [(run["day"], run["requested_at"]) for run in runs] == [
        (day - DAY, starts),
        (day, ends),
    ]
    assert days()[day + DAY] == "open"


def test_a_transfer_is_reversed_once_with_its_reason() -> None:
    bob, task = new_id(), new_id()
    tell(added(bob, task), completed(bob, task))
    reward = primary.value("SELECT id FROM transfer WHERE kind = 'completion_reward'")

    made = actions.reverse_transfer(reward, reason="Not his work.", now=NOON)
    with pytest.raises(Conflict, match="reversed before"):
        actions.reverse_transfer(reward, reason="Again.", now=NOON)

    assert (made["reverses_id"], made["reason"]) == (reward, "Not his work.")
    assert balances() == {bob: -price(task)[0]}


def test_a_payout_taken_back_is_paid_with_the_next_day() -> None:
    (bob,) = workers_with_rewards(1)
    due = balances()[bob]
    actions.close_day(MONDAY, by=None, now=NOON)
    payouts.pay_all(now=NOON)
    payout = primary.value("SELECT id FROM transfer WHERE kind = 'payout'")

    actions.reverse_transfer(payout, reason="Came back from the bank.", now=NOON + DAY)
    assert balances() == {bob: due}
    actions.close_day(MONDAY + DAY, by=None, now=NOON + DAY)
    payouts.pay_all(now=NOON + DAY)

    assert balances() == {bob: 0}
    assert kinds() == {"completion_reward": 1, "payout": 2, "reversal": 1}


def test_what_is_not_there_or_a_reversal_is_not_reversed() -> None:
    tell(completed(new_id()))
    reward = primary.value("SELECT id FROM transfer")
    reversal = actions.reverse_transfer(reward, reason="Mistaken.", now=NOON)

    with pytest.raises(NotFound):
        actions.reverse_transfer(uuid4(), reason="?", now=NOON)
    with pytest.raises(Conflict, match="not reversed"):
        actions.reverse_transfer(reversal["id"], reason="?", now=NOON)
