"""Whether everything kept beside the transfers is what the transfers say."""

import logging
from collections.abc import Iterator
from datetime import datetime

from accounting.models import primary
from common.db import Row, Server, deadline

log = logging.getLogger("verify")

PATIENCE_S = 1800
SENTENCES_MAX = 50

# Each a chain's link: totals against transfers, what was carried against totals, and so on.  Every
# statement returns a sentence a row that is wrong.
TOTALS = """
    SELECT format('worker %%s on %%s: total %%s, transfers %%s', worker_id, day,
                  (total.fees_cents, total.rewards_cents, total.payouts_cents),
                  (recount.fees_cents, recount.rewards_cents, recount.payouts_cents))
    FROM total FULL JOIN recount USING (worker_id, day)
    WHERE (total.fees_cents, total.rewards_cents, total.payouts_cents) IS DISTINCT FROM
          (recount.fees_cents, recount.rewards_cents, recount.payouts_cents)
    ORDER BY day, worker_id
"""
CARRIED = """
    SELECT format('worker %%s on %%s: carried %%s, totals %%s', worker_id, day, carried_cents, due)
    FROM (
        SELECT *, sum(rewards_cents - fees_cents - payouts_cents)
                  OVER (PARTITION BY worker_id ORDER BY day) AS due
        FROM total
    ) AS running JOIN business_day USING (day)
    WHERE carried_cents <> due OR (carried_cents IS NULL AND state = 'closed')
          OR (carried_cents IS NOT NULL AND state = 'open')
    ORDER BY day, worker_id
"""
ACCOUNTS = """
    SELECT format('account %%s: carried %%s, totals %%s', name, carried_cents, due)
    FROM account LEFT JOIN (
        SELECT worker_id, sum(rewards_cents - fees_cents - payouts_cents)
                          FILTER (WHERE carried_cents IS NOT NULL) AS due
        FROM total GROUP BY worker_id
    ) AS passed ON worker_id = account.id
    WHERE carried_cents <> coalesce(due, 0) ORDER BY name
"""
DAYS = """
    WITH spans AS (
        SELECT day, lead(day, 1, 'infinity') OVER (PARTITION BY worker_id ORDER BY day) AS next_day,
               carried_cents
        FROM total
    ), due AS (
        SELECT business_day.day, coalesce(sum(total.fees_cents), 0) AS fees_cents,
               coalesce(sum(total.rewards_cents), 0) AS rewards_cents,
               (SELECT count(*) FROM spans WHERE carried_cents < 0
                AND spans.day <= business_day.day AND business_day.day < next_day) AS workers
        FROM business_day LEFT JOIN total USING (day) WHERE state <> 'open'
        GROUP BY business_day.day
    )
    SELECT format('day %%s: fees, rewards, workers in minus %%s, totals %%s', day,
                  (kept.fees_cents, kept.rewards_cents, workers_in_minus),
                  (due.fees_cents, due.rewards_cents, workers))
    FROM due JOIN business_day AS kept USING (day)
    WHERE (kept.fees_cents, kept.rewards_cents) <> (due.fees_cents, due.rewards_cents)
          OR (state = 'closed' AND workers_in_minus <> workers)
    ORDER BY day
"""
RUNS = """
    WITH passed AS (
        SELECT day, count(carried_cents) AS workers FROM total GROUP BY day
    ), paid AS (
        SELECT day, count(*), sum(amount_cents) AS cents
        FROM transfer WHERE kind = 'payout' GROUP BY day
    )
    SELECT format('payout run of %%s: done %%s, paid %%s; payouts done %%s, paid %%s', day,
                  done, (paid_count, paid_cents), coalesce(workers, 0),
                  (coalesce(count, 0), coalesce(cents, 0)))
    FROM payout_run LEFT JOIN passed USING (day) LEFT JOIN paid USING (day)
    WHERE (done, paid_count, paid_cents)
              <> (coalesce(workers, 0), coalesce(count, 0), coalesce(cents, 0))
          OR (moved_count, moved_cents) <> (paid_count, paid_cents)
          OR (told_count, told_cents) <> (paid_count, paid_cents)
    ORDER BY day
"""
OTHERS = """
    SELECT format('transfer %%s, posted in %%s, reverses %%s, which it does not mirror', back.id,
                  back.day, back.reverses_id)
    FROM transfer AS back LEFT JOIN transfer AS paid ON paid.id = back.reverses_id
    WHERE back.kind = 'reversal'
      AND (back.debit_id, back.credit_id, back.worker_id, back.amount_cents) IS DISTINCT FROM
          (paid.credit_id, paid.debit_id, paid.worker_id, paid.amount_cents)
"""
TALLY = """
    SELECT format('tally %%s, totals %%s', tally, due)
    FROM tally JOIN tally_recount AS due USING (one) WHERE tally::text <> due::text
"""
CHECKS = (TOTALS, CARRIED, ACCOUNTS, DAYS, RUNS, OTHERS, TALLY)


# Only when all is paid: a verification takes a while, and payouts should not wait for it.
DUE = """
    SELECT max(day) FROM business_day WHERE state = 'closed'
    AND NOT EXISTS (SELECT FROM payout_run WHERE state <> 'done')
    HAVING max(day) > coalesce((SELECT max(day) FROM verification), '-infinity')
"""
KEEP = """
    INSERT INTO verification (day, at, transfers, findings, sentences)
    VALUES (%s, %s, %s, %s, %s::text[]) ON CONFLICT (day) DO NOTHING
"""
LAST = """
    SELECT day, at, transfers, findings, ok, sentences FROM verification ORDER BY day DESC LIMIT 1
"""


def differences() -> Iterator[str]:
    """A sentence for each row that does not follow from the transfers, all at one moment."""
    with deadline(PATIENCE_S), primary.atomic():
        primary.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for check in CHECKS:
            for row in primary.stream(check):
                yield row["format"]


def count() -> int:
    """How many transfers there are."""
    with deadline(PATIENCE_S):
        return primary.value("SELECT count(*) FROM transfer")


def verify_after_closing(*, now: datetime) -> bool:
    """What the comparison found is kept with the last closed day, once a day; whether it was done
    just now.
    """
    day = primary.value(DUE)
    if day is None:
        return False
    findings, sentences = 0, list[str]()
    for findings, sentence in enumerate(differences(), 1):
        if findings <= SENTENCES_MAX:
            sentences.append(sentence)
            log.error("%s", sentence)
    primary.run(KEEP, day, now, count(), findings, sentences)
    return True


def last(db: Server) -> Row | None:
    """`{day, at, transfers, findings, ok, sentences}` of the last comparison, None before any."""
    return db.row(LAST)
