"""Links to choose a password, limits for guessing, when a session was confirmed, the audit log."""

TABLES = """
-- A person has one link at most: the newest.  Its secret is made from its id and kept nowhere.
CREATE TABLE link (
    id uuid PRIMARY KEY DEFAULT new_id(),
    user_id uuid NOT NULL UNIQUE,
    purpose text NOT NULL CHECK (purpose IN ('invitation', 'reset')),
    expires_at timestamptz NOT NULL
);

CREATE TABLE guess (
    subject bytea PRIMARY KEY,
    tries int NOT NULL CHECK (tries >= 0),
    until timestamptz NOT NULL
);
COMMENT ON COLUMN guess.subject IS 'SHA-256 of what is tried and of the account or the address';
CREATE INDEX guess_until ON guess (until);

ALTER TABLE session ADD COLUMN confirmed_at timestamptz;
UPDATE session SET confirmed_at = created_at;
ALTER TABLE session ALTER COLUMN confirmed_at SET NOT NULL;
COMMENT ON COLUMN session.confirmed_at IS 'when the password was given last';

CREATE TABLE audit (
    id uuid PRIMARY KEY DEFAULT new_id(),
    at timestamptz NOT NULL,
    user_id uuid,
    what text NOT NULL,
    object text NOT NULL,
    address text NOT NULL,
    status int,
    request_id text NOT NULL
);
COMMENT ON COLUMN audit.user_id IS 'who did it; null: nobody who was signed in';
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_what ON audit (what, at, id);
CREATE INDEX audit_user ON audit (user_id, at, id);

CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever added to';
END $$;
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
"""


def up(migrator, db):
    db.execute_sql(TABLES)
