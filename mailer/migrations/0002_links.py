"""Letters of two kinds: that somebody was paid, and a link to choose a password."""

KIND = """
ALTER TABLE letter ADD COLUMN kind text NOT NULL DEFAULT 'payout'
    CHECK (kind IN ('payout', 'link'));
COMMENT ON COLUMN letter.payload IS 'the event that is its cause; never the secret of a link';
"""


def up(migrator, db):
    db.execute_sql(KIND)
