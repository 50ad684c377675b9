"""What accounting does about what happened.  Withdrawals come first, for they need the books alone,
and a transaction which shares them already could wait for another such one for ever.
"""

from collections.abc import Sequence

from accounting import ledger
from accounting.ledger import Completion, Deal, Withdrawal
from accounting.models import primary
from common import chance, clock, people
from common.consume import Handlers
from common.events import (
    LetterSettled,
    TaskAdded,
    TaskCompleted,
    TasksDealt,
    TaskWithdrawn,
    UserAdded,
    UserChanged,
)

LETTERS = """
    INSERT INTO letter (payout_id, state, settled_at)
    SELECT DISTINCT ON (payout_id) * FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[])
        AS news (payout_id, state, settled_at) ORDER BY payout_id, settled_at DESC
    ON CONFLICT (payout_id) DO UPDATE SET state = excluded.state, settled_at = excluded.settled_at
    WHERE letter.settled_at < excluded.settled_at
"""


def learn_people(events: Sequence[UserAdded | UserChanged]) -> None:
    people.learn(primary, events)


def reverse_fees(events: Sequence[TaskWithdrawn]) -> None:
    withdrawals = [Withdrawal(e.task_id, e.run_id, e.withdrawn_at.isoformat()) for e in events]
    ledger.withdraw(withdrawals, seed=chance.new_seed(), now=clock.now())


def charge_first_fees(events: Sequence[TaskAdded]) -> None:
    deals = [Deal(e.task_id, e.assignee_id, e.run_id, e.added_at.isoformat()) for e in events]
    ledger.charge_fees(deals, seed=chance.new_seed(), now=clock.now())


def charge_fees(events: Sequence[TasksDealt]) -> None:
    deals = [
        Deal(task_id, worker_id, event.run_id, at)
        for event in events
        for at in (event.dealt_at.isoformat(),)
        for task_id, worker_id in event.deals
    ]
    ledger.charge_fees(deals, seed=chance.new_seed(), now=clock.now())


def pay_rewards(events: Sequence[TaskCompleted]) -> None:
    done = [Completion(e.task_id, e.assignee_id, e.completed_at.isoformat()) for e in events]
    ledger.pay_rewards(done, seed=chance.new_seed(), now=clock.now())


def note_letters(events: Sequence[LetterSettled]) -> None:
    facts = [(str(e.cause_id), e.state, e.settled_at) for e in events]
    primary.run(LETTERS, *[list(column) for column in zip(*facts, strict=True)])


HANDLERS: Handlers = {
    UserAdded: learn_people,
    UserChanged: learn_people,
    TaskWithdrawn: reverse_fees,
    TaskAdded: charge_first_fees,
    TasksDealt: charge_fees,
    TaskCompleted: pay_rewards,
    LetterSettled: note_letters,
}
