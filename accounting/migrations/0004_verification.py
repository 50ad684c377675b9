"""What was found when the books were compared with themselves, and when a day's payouts were."""

# day: the last one closed when the clock asked, so that it asks once a day.
VERIFICATION = """
CREATE TABLE verification (
    id uuid PRIMARY KEY DEFAULT new_id(),
    day date NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    transfers bigint NOT NULL,
    findings bigint NOT NULL,
    sentences text[] NOT NULL,
    ok boolean NOT NULL GENERATED ALWAYS AS (findings = 0) STORED
);
CREATE VIEW report_verifications AS SELECT day, at, transfers, findings, ok FROM verification;
"""

# What the run counted, what was posted, and what the mailer was told of; null before its end.
RECONCILIATION = """
ALTER TABLE payout_run
    ADD COLUMN paid_count bigint NOT NULL DEFAULT 0,
    ADD COLUMN moved_count bigint,
    ADD COLUMN moved_cents bigint,
    ADD COLUMN told_count bigint,
    ADD COLUMN told_cents bigint;
UPDATE payout_run SET paid_count = (
    SELECT count(*) FROM transfer WHERE kind = 'payout' AND transfer.day = payout_run.day);
"""


def up(migrator, db):
    db.execute_sql(VERIFICATION)
    db.execute_sql(RECONCILIATION)
