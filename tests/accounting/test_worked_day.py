"""The day of docs/ledger.md, with its figures."""

from accounting import actions, payouts
from accounting.models import primary
from common.events import PayoutMade
from tests.accounting.conftest import (
    MONDAY,
    NOON,
    added,
    completed,
    dealt,
    facts,
    new_id,
    tell,
    withdrawn,
)


def test_the_worked_day_comes_out_as_written() -> None:
    bob, cat, t1, t2, t3, run = (new_id() for _ in range(6))
    for task, fee, reward in ((t1, 1200, 3100), (t2, 1000, 2500), (t3, 1400, 2800)):
        primary.run("INSERT INTO price VALUES (%s, %s, %s, new_id())", task, fee, reward)
    primary.run("INSERT INTO account VALUES (%s, 'worker:cat', -300)", cat)

    steps = (
        (added(bob, t1), -1200, -300),
        (added(cat, t2), -1200, -1300),
        (completed(bob, t1), 1900, -1300),
        (dealt((t2, bob), run_id=run), 900, -1300),
        (withdrawn(bob, t2, run), 1900, -1300),
        (added(bob, t3), 500, -1300),
    )
    for event, bobs, cats in steps:
        tell(event)
        kept = primary.rows("SELECT * FROM report_balances")
        known = {row["worker_id"]: row["balance_cents"] for row in kept}
        assert (known.get(bob, 0), known[cat]) == (bobs, cats)
    actions.close_day(MONDAY, by=None, now=NOON)
    payouts.pay_all(now=NOON)

    assert primary.row("SELECT * FROM report_days ORDER BY day") == {
        "day": MONDAY,
        "state": "closed",
        "fees_cents": 3600,
        "rewards_cents": 3100,
        "paid_cents": 500,
        "workers_in_minus": 1,
    }
    (paid,) = facts(PayoutMade)
    assert (paid.worker_id, paid.amount_cents) == (bob, 500)
    assert (paid.carried_cents, paid.rewards_cents, paid.fees_cents) == (0, 3100, 2600)
