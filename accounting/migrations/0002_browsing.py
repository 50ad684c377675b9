"""To look through the ledger: by day, by what a transfer counts as, by its accounts."""

# Days pass in the order of ids, so this one grows at its end only.
BY_DAY = "CREATE INDEX transfer_day ON transfer (day, id)"

# cause: a reversal counts against what it reverses.  Whoever does not ask for what is joined does
# not pay for it: the planner leaves out joins of at most one row.
TRANSFERS = """
CREATE OR REPLACE VIEW report_transfers AS
    SELECT posted.id, posted.worker_id, posted.kind, posted.amount_cents,
           CASE WHEN posted.credit_id = posted.worker_id THEN posted.amount_cents
                ELSE -posted.amount_cents END AS signed_cents,
           posted.day, posted.occurred_at, posted.posted_at, posted.task_id, posted.run_id,
           posted.reverses_id, coalesce(reversed.kind, posted.kind) AS cause,
           debited.name AS debit, credited.name AS credit, posted.reason
    FROM transfer AS posted
    LEFT JOIN transfer AS reversed ON reversed.id = posted.reverses_id
    LEFT JOIN account AS debited ON debited.id = posted.debit_id
    LEFT JOIN account AS credited ON credited.id = posted.credit_id
"""

# carried_cents: the balance at the end of the last closed day.
BALANCES = """
CREATE OR REPLACE VIEW report_balances AS
    SELECT account.id AS worker_id, account.carried_cents + coalesce(moved_cents, 0)::bigint
           AS balance_cents, account.carried_cents
    FROM account LEFT JOIN (
        SELECT worker_id, sum(rewards_cents - fees_cents - payouts_cents) AS moved_cents
        FROM total WHERE carried_cents IS NULL GROUP BY worker_id
    ) AS moved ON worker_id = account.id
    WHERE starts_with(name, 'worker:')
"""

# A seed draws the prices of one batch, which are public; it says nothing about later ones.
PRICES = """
CREATE VIEW report_prices AS
    SELECT task_id, fee_cents, reward_cents, seed, priced_at
    FROM price JOIN pricing ON pricing.id = pricing_id
"""


def up(migrator, db):
    for statement in (BY_DAY, TRANSFERS, BALANCES, PRICES):
        db.execute_sql(statement)
