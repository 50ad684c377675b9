"""In which language a person reads."""

COLUMNS = """
ALTER TABLE person ADD COLUMN language text,
    ADD COLUMN language_version bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN person.language IS 'null: neither chosen nor asked for by a browser of theirs';
COMMENT ON COLUMN person.language_version IS 'how often it was another one';
"""


def up(migrator, db):
    db.execute_sql(COLUMNS)
