"""People and their sessions."""

TABLES = """
CREATE TABLE person (
    id uuid PRIMARY KEY DEFAULT new_id(),
    email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    role text NOT NULL CHECK (role IN ('worker', 'accountant', 'manager', 'admin')),
    is_active boolean NOT NULL DEFAULT true,
    password_hash text,
    version bigint NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN person.password_hash IS 'argon2id; null: cannot sign in';
CREATE UNIQUE INDEX person_email ON person (lower(email));
CREATE INDEX person_name ON person (name, id);

CREATE TABLE session (
    id uuid PRIMARY KEY DEFAULT new_id(),
    token_sha256 bytea NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES person ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    address text NOT NULL,
    device text NOT NULL
);
COMMENT ON COLUMN session.token_sha256 IS 'of the cookie, which is kept nowhere';
CREATE INDEX session_owner ON session (user_id);

CREATE VIEW report_users AS SELECT id, name, email, role, is_active FROM person;
"""


def up(migrator, db):
    db.execute_sql(TABLES)
