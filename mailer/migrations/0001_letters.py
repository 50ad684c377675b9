"""Who can be written to, and every letter with how far it came."""

TABLES = """
CREATE TABLE address (
    person_id uuid PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL
);

-- next_attempt_at: when a queued letter may be tried; while it is being sent, when the lease of the
-- process that does so ends and another one may take it.
CREATE TABLE letter (
    id uuid PRIMARY KEY DEFAULT new_id(),
    cause_id uuid NOT NULL UNIQUE,
    person_id uuid NOT NULL,
    subject text NOT NULL,
    payload json NOT NULL,
    state text NOT NULL CHECK (state IN ('unaddressed', 'queued', 'sending', 'sent', 'failed')),
    attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at timestamptz NOT NULL,
    queued_at timestamptz,
    error text,
    settled_at timestamptz,
    CHECK ((state = 'unaddressed') = (queued_at IS NULL)),
    CHECK ((state IN ('sent', 'failed')) = (settled_at IS NOT NULL))
);
CREATE INDEX letter_due ON letter (next_attempt_at, id) WHERE state IN ('queued', 'sending');
CREATE INDEX letter_unaddressed ON letter (person_id) WHERE state = 'unaddressed';
CREATE INDEX letter_state ON letter (state, id);

CREATE VIEW report_letters AS SELECT id, cause_id, state FROM letter;
"""


def up(migrator, db):
    db.execute_sql(TABLES)
