"""The ledger beside what the tracker says and what analytics shows.

Two databases are never joined: what one says goes to the other a few thousand rows at a time, and
comes back as a sentence for each that is not so there.  What one says is fixed first, then has been
heard, then looked for: a fact of this moment is no difference.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from accounting.models import primary
from accounting.prices import parts
from common import bus_status, stream
from common.config import Config
from common.db import LOST, Server, deadline
from common.service import services
from common.store import NO_LSN, Store, apart

PART = 5000
PATIENCE_S = 1800
LATEST = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END"

# What the tracker says, and where that is not in the ledger.
SAID = {
    "SELECT id, dealt FROM report_run_sizes": """
        SELECT format('run %%s: %%s deals, %%s fees', run_id, dealt, fees)
        FROM unnest(%s::uuid[], %s::bigint[]) AS said (run_id, dealt), LATERAL (
            SELECT count(*) AS fees FROM transfer
            WHERE kind = 'deal_fee' AND transfer.run_id = said.run_id
        ) AS charged
        WHERE fees < dealt
    """,
    "SELECT task_id, run_id, assignee_id, status FROM report_deals": """
        SELECT format('task %%s is %%s: %%s', task_id, status, concat_ws(', ',
            CASE WHEN fee IS NULL THEN 'its last deal was not charged' END,
            CASE WHEN fee <> fee_cents OR reward <> reward_cents THEN 'not at its price' END,
            CASE WHEN status = 'done' AND reward IS NULL THEN 'it was not paid' END,
            CASE WHEN status = 'withdrawn' AND back IS NULL THEN 'its fee was not reversed' END))
        FROM (
            SELECT said.*, fee.amount_cents AS fee, reward.amount_cents AS reward, back.id AS back
            FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[])
                AS said (task_id, run_id, worker_id, status)
            LEFT JOIN transfer AS fee ON fee.kind = 'deal_fee'
                AND (fee.run_id, fee.task_id) = (said.run_id, said.task_id)
                AND fee.worker_id = said.worker_id
            LEFT JOIN transfer AS reward ON reward.kind = 'completion_reward'
                AND reward.task_id = said.task_id AND reward.worker_id = said.worker_id
            LEFT JOIN transfer AS back ON back.kind = 'reversal' AND back.reverses_id = fee.id
        ) AS posted LEFT JOIN price USING (task_id)
        WHERE fee IS NULL OR fee <> fee_cents OR reward <> reward_cents
              OR (status = 'done' AND reward IS NULL) OR (status = 'withdrawn' AND back IS NULL)
    """,
}
# What the ledger has, and where the tracker has said no such thing.
POSTED = {
    "SELECT run_id, count(*) FROM transfer WHERE kind = 'deal_fee' GROUP BY run_id": """
        SELECT format('run %%s: %%s fees, %%s deals', run_id, fees, coalesce(dealt, 0))
        FROM unnest(%s::uuid[], %s::bigint[]) AS posted (run_id, fees)
        LEFT JOIN report_run_sizes ON id = run_id WHERE coalesce(dealt, 0) < fees
    """,
    "SELECT task_id, worker_id FROM transfer WHERE kind = 'completion_reward'": """
        SELECT format('task %%s: paid to worker %%s, who did not complete it', task_id, worker_id)
        FROM unnest(%s::uuid[], %s::uuid[]) AS posted (task_id, worker_id)
        LEFT JOIN report_deals USING (task_id)
        WHERE (status, assignee_id) IS DISTINCT FROM ('done', worker_id)
    """,
    "SELECT task_id, run_id FROM transfer WHERE kind = 'reversal' AND reason IS NULL": """
        SELECT format('task %%s: its fee of run %%s reversed, yet it was not withdrawn',
                      task_id, posted.run_id)
        FROM unnest(%s::uuid[], %s::uuid[]) AS posted (task_id, run_id)
        LEFT JOIN report_deals USING (task_id)
        WHERE (status, report_deals.run_id) IS DISTINCT FROM ('withdrawn', posted.run_id)
    """,
    "SELECT task_id, fee_cents, reward_cents FROM price": """
        SELECT format('task %%s: fee %%s and reward %%s, the tracker shows %%s and %%s', task_id,
                      posted.fee_cents, posted.reward_cents, known.fee_cents, known.reward_cents)
        FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[])
            AS posted (task_id, fee_cents, reward_cents)
        LEFT JOIN report_prices AS known USING (task_id)
        WHERE (known.fee_cents, known.reward_cents) IS DISTINCT FROM
              (posted.fee_cents, posted.reward_cents)
    """,
}
# On the server that analytics reads, as it stands there at one moment.
SHOWN = (
    """
    SELECT format('worker %%s: balance shown %%s, transfers %%s', worker_id, balance_cents, cents)
    FROM report_balances FULL JOIN (
        SELECT worker_id, sum(signed_cents) AS cents FROM report_transfers GROUP BY worker_id
    ) AS due USING (worker_id)
    WHERE coalesce(balance_cents, 0) <> coalesce(cents, 0)
    """,
    """
    WITH due AS (
        SELECT day,
               coalesce(sum(-signed_cents) FILTER (WHERE cause = 'deal_fee'), 0) AS fees,
               coalesce(sum(signed_cents) FILTER (WHERE cause = 'completion_reward'), 0) AS rewards,
               coalesce(sum(-signed_cents) FILTER (WHERE kind = 'payout'), 0) AS paid
        FROM report_transfers GROUP BY day
    )
    SELECT format('day %%s: shown %%s, transfers %%s', day,
                  (fees_cents, rewards_cents, paid_cents), (fees, rewards, paid))
    FROM report_days FULL JOIN due USING (day)
    WHERE (fees_cents, rewards_cents, paid_cents) IS DISTINCT FROM
          (coalesce(fees, 0), coalesce(rewards, 0), coalesce(paid, 0))
    ORDER BY day
    """,
)


class Audit:
    """The comparison; `on_its_way` counts what may yet be heard and is no difference so far."""

    def __init__(self, settings: Config, wait_s: float) -> None:
        self.bus = stream.connect(settings.bus_url)
        self.wait_s = wait_s
        self.on_its_way = 0
        self.tracker, self.analytics = (
            reports(settings, name) for name in ("tracker", "accounting")
        )

    def differences(self) -> Iterator[str]:
        """A sentence for each fact that is not in the ledger, or transfer without its fact, and
        for each figure shown that does not follow from the transfers.
        """
        with deadline(PATIENCE_S):
            said, posted = latest(self.tracker), latest(self.analytics)
            yield from self.missing("tracker", said, SAID, "accounting", primary)
            yield from self.missing("accounting", primary, POSTED, "tracker", self.tracker)
            for question in SHOWN:
                yield from (row["format"] for row in posted.stream(question))

    def missing(
        self, producer: str, source: Server, questions: Mapping[str, str], group: str, other: Any
    ) -> Iterator[str]:
        with source.atomic():
            source.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            source.execute_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            source.value("SELECT now()")
            owner = next(one for one in services() if one.name == producer).primary()
            is_heard = bus_status.heard(self.bus, owner, producer, group, self.wait_s)
            there = latest(other) if isinstance(other, Store) else other
            for query, question in questions.items():
                for part in parts(source.stream(query), PART):
                    for (sentence,) in there.execute_sql(question, columns(part)):
                        if is_heard:
                            yield sentence
                        else:
                            self.on_its_way += 1


def reports(settings: Config, name: str) -> Store:
    """The servers of a service, with the role that reads its reports."""
    store = Store(name)
    standby, main = apart(settings.report_url(name))
    store.open(main, standby)
    return store


def latest(store: Store) -> Server:
    """A server that shows all that is committed now."""
    # After a promotion the two have changed places, and the old primary may be gone.
    return store.reading(committed(store.primary) or committed(store.replica) or NO_LSN).db


def committed(server: Server) -> str | None:
    """How far its log goes, if it answers and takes writes."""
    with suppress(*LOST):
        return server.value(LATEST)
    return None


def columns(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [str(value) for value in column] for column in zip(*map(dict.values, rows), strict=True)
    ]
