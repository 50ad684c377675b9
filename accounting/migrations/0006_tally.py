"""What the whole company's figures are just now: one row, so that no page sums a row a person."""

# due: balances above zero.  newly: below zero, and not when the last day closed.
TALLY = """
CREATE TABLE tally (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    fees_cents bigint NOT NULL,
    rewards_cents bigint NOT NULL,
    due_count bigint NOT NULL,
    due_cents bigint NOT NULL,
    minus_count bigint NOT NULL,
    minus_cents bigint NOT NULL,
    newly_count bigint NOT NULL
);

CREATE VIEW tally_recount AS
    SELECT true AS one, today.*, people.* FROM (
        SELECT coalesce(sum(fees_cents), 0)::bigint AS fees_cents,
               coalesce(sum(rewards_cents), 0)::bigint AS rewards_cents
        FROM total WHERE day = (SELECT day FROM business_day WHERE state = 'open')
    ) AS today CROSS JOIN (
        SELECT count(*) FILTER (WHERE balance_cents > 0) AS due_count,
               coalesce(sum(greatest(balance_cents, 0)), 0)::bigint AS due_cents,
               count(*) FILTER (WHERE balance_cents < 0) AS minus_count,
               coalesce(sum(least(balance_cents, 0)), 0)::bigint AS minus_cents,
               count(*) FILTER (WHERE balance_cents < 0 AND carried_cents >= 0) AS newly_count
        FROM report_balances
    ) AS people;
"""

# moved: by how much a balance has changed.  passed: how much of it went from the totals of a day
# into what was carried.
CHANGE = """
        WITH change AS (
            SELECT worker_id, sum(sign * cents) AS moved,
                   coalesce(sum(sign * cents) FILTER (WHERE carried_cents IS NOT NULL), 0)
                       AS passed,
                   sum(sign * fees_cents) AS fees, sum(sign * rewards_cents) AS rewards
            FROM ({rows}) AS row
            CROSS JOIN LATERAL (SELECT rewards_cents - fees_cents - payouts_cents) AS _ (cents)
            GROUP BY worker_id
        ), worker AS (
            SELECT fees, rewards, moved, passed, account.carried_cents AS carried,
                   account.carried_cents + coalesce(sum(
                       total.rewards_cents - total.fees_cents - total.payouts_cents), 0) AS after
            FROM change JOIN account ON account.id = change.worker_id
            LEFT JOIN total ON total.worker_id = change.worker_id AND total.carried_cents IS NULL
            GROUP BY account.id, fees, rewards, moved, passed
        ), news AS (
            SELECT sum(fees) AS fees, sum(rewards) AS rewards,
                   sum((after > 0)::int - (before > 0)::int) AS due,
                   sum(greatest(after, 0) - greatest(before, 0)) AS due_cents,
                   sum((after < 0)::int - (before < 0)::int) AS minus,
                   sum(least(after, 0) - least(before, 0)) AS minus_cents,
                   sum((after < 0 AND carried >= 0)::int
                       - (before < 0 AND carried - passed >= 0)::int) AS newly
            FROM worker CROSS JOIN LATERAL (SELECT after - moved) AS _ (before)
        )
        UPDATE tally SET
            fees_cents = fees_cents + fees, rewards_cents = rewards_cents + rewards,
            due_count = due_count + due, due_cents = tally.due_cents + news.due_cents,
            minus_count = minus_count + minus, minus_cents = tally.minus_cents + news.minus_cents,
            newly_count = newly_count + newly
        FROM news
"""
# Whoever changes totals does so alone, to the end of its transaction: what is read here is the
# state after this change and before the next.  Many are worth a plan of their own; for a few,
# planning would take longer than the work.
FUNCTION = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE many bigint;
BEGIN
    SELECT count(*) INTO many FROM added;
    IF many > 0 THEN
        PERFORM pg_advisory_xact_lock(hashtext('totals'));
    END IF;
    IF many > 100 THEN
        EXECUTE $change${change}$change$;
    ELSIF many > 0 THEN
        {change};
    END IF;
    RETURN NULL;
END $$;
"""
ADDED = "SELECT 1 AS sign, * FROM added"
INSERTED = FUNCTION.format(name="tally_inserted", change=CHANGE.format(rows=ADDED))
UPDATED = FUNCTION.format(
    name="tally_updated", change=CHANGE.format(rows=f"{ADDED} UNION ALL SELECT -1, * FROM removed")
)
TRIGGERS = """
CREATE TRIGGER tally_inserted AFTER INSERT ON total REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION tally_inserted();
CREATE TRIGGER tally_updated AFTER UPDATE ON total
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_updated();

CREATE FUNCTION tally_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tally SET fees_cents = 0, rewards_cents = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER tally_begun AFTER INSERT ON business_day
    FOR EACH ROW EXECUTE FUNCTION tally_begin();

INSERT INTO tally TABLE tally_recount;
"""

REPORTS = """
CREATE OR REPLACE VIEW report_days AS
    SELECT day, business_day.state, fees_cents, rewards_cents, paid_cents, workers_in_minus
    FROM business_day JOIN payout_run USING (day) WHERE business_day.state <> 'open'
    UNION ALL
    SELECT day, state, tally.fees_cents, tally.rewards_cents, 0, minus_count
    FROM business_day CROSS JOIN tally WHERE state = 'open';

CREATE VIEW report_tally AS
    SELECT due_count, due_cents, minus_count, minus_cents, newly_count FROM tally;
"""


def up(migrator, db):
    for statement in (TALLY, INSERTED, UPDATED, TRIGGERS, REPORTS):
        db.execute_sql(statement)
