"""What the bus needs in order to be kept small, and the log of what people did to it."""

CARE = """
-- Every group has acknowledged all before this entry; null while that is not known.
ALTER TABLE stream_state ADD COLUMN acknowledged text;

CREATE TABLE bus_log (
    id uuid PRIMARY KEY DEFAULT new_id(),
    at timestamptz NOT NULL DEFAULT now(),
    done_by text NOT NULL,
    what text NOT NULL CHECK (what IN ('redriven', 'republished')),
    detail text NOT NULL
);
"""


def up(migrator, db):
    db.execute_sql(CARE)
