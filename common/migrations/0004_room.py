"""Room beside each event for the mark that it was published."""

# The mark is a new version of the row: on the same page it costs the log a few bytes instead of
# the whole envelope again, and needs no lock of its own.
ROOM = "ALTER TABLE outbox SET (fillfactor = 50)"


def up(migrator, db):
    db.execute_sql(ROOM)
