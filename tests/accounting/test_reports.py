"""What analytics relies on: the views accounting publishes."""

import random
from datetime import timedelta

import pytest
from peewee import ProgrammingError

from accounting import actions, payouts
from accounting.models import primary
from common.config import Config
from common.db import Server
from tests.accounting.conftest import (
    MONDAY,
    NOON,
    added,
    balances,
    completed,
    dealt,
    new_id,
    price,
    tell,
    withdrawn,
)

DAY = timedelta(days=1)
COLUMNS = {
    "report_transfers": "id worker_id kind amount_cents signed_cents day occurred_at posted_at"
    " task_id run_id reverses_id cause debit credit reason",
    "report_totals": "worker_id day fees_cents rewards_cents payouts_cents carried_cents",
    "report_balances": "worker_id balance_cents carried_cents",
    "report_prices": "task_id fee_cents reward_cents seed priced_at",
    "report_days": "day state fees_cents rewards_cents paid_cents workers_in_minus",
    "report_tally": "due_count due_cents minus_count minus_cents newly_count",
    "report_rewards": "day amount_cents posted_at task_id",
    "report_dead_letters": "id stream entry_id event error deliveries at",
}


@pytest.mark.parametrize("view", COLUMNS)
def test_a_view_has_the_agreed_columns_for_the_reader(settings: Config, view: str) -> None:
    reader = Server(None)
    reader.open(settings.report_url("accounting"))

    cursor = reader.execute_sql(f"SELECT * FROM {view}")

    assert [column.name for column in cursor.description] == COLUMNS[view].split()
    with pytest.raises(ProgrammingError, match="permission denied"):
        reader.execute_sql("SELECT * FROM transfer")
    reader.close_quietly()


def test_days_show_fees_and_rewards_net_and_who_is_in_minus() -> None:
    bob, cat, task, run = new_id(), new_id(), new_id(), new_id()
    tell(dealt((task, bob), run_id=run), withdrawn(bob, task, run), completed(bob, task))
    tell(added(cat, task))
    fee, reward = price(task)
    actions.close_day(MONDAY, by=None, now=NOON)
    payouts.pay_all(now=NOON)

    assert primary.rows("SELECT * FROM report_days ORDER BY day") == [
        {
            "day": MONDAY,
            "state": "closed",
            "fees_cents": fee,
            "rewards_cents": reward,
            "paid_cents": reward,
            "workers_in_minus": 1,
        },
        {
            "day": MONDAY + DAY,
            "state": "open",
            "fees_cents": 0,
            "rewards_cents": 0,
            "paid_cents": 0,
            "workers_in_minus": 1,
        },
    ]


def test_totals_carry_each_worker_from_day_to_day() -> None:
    draws = random.Random(1)
    workers = [new_id() for _ in range(3)]
    for n in range(4):
        facts = [draws.choice([added, added, completed])(draws.choice(workers)) for _ in range(6)]
        tell(*facts)
        actions.close_day(MONDAY + n * DAY, by=None, now=NOON + n * DAY)
        payouts.pay_all(now=NOON + n * DAY)

    carried = dict.fromkeys(workers, 0)
    for total in primary.rows("SELECT * FROM report_totals ORDER BY day"):
        due = carried[total["worker_id"]] + total["rewards_cents"] - total["fees_cents"]
        assert total["payouts_cents"] == max(due, 0)
        assert total["carried_cents"] == min(due, 0)
        carried[total["worker_id"]] = min(due, 0)
    assert balances() == {worker: carried[worker] for worker in balances()}


def test_the_dearest_reward_is_one_step_in_an_index() -> None:
    tell(*[completed(new_id()) for _ in range(500)])
    primary.run("ANALYZE transfer")

    plan = primary.rows(
        "EXPLAIN SELECT * FROM report_rewards WHERE day = %s"
        " ORDER BY amount_cents DESC, posted_at, task_id LIMIT 1",
        MONDAY,
    )

    assert "transfer_dearest" in str(plan)
    assert "Sort" not in str(plan)
