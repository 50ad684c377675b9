"""A relay that is awake need not be woken."""

AWAKE = """
-- Until then the relay looks for new facts by itself.
ALTER TABLE stream_state ADD COLUMN awake_until timestamptz;
"""


def up(migrator, db):
    db.execute_sql(AWAKE)
