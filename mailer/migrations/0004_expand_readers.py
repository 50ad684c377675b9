"""In which language people read: it may be heard of before their address is."""

TABLE = """
CREATE TABLE reader (
    person_id uuid PRIMARY KEY,
    language text NOT NULL,
    version bigint NOT NULL
);
"""


def up(migrator, db):
    db.execute_sql(TABLE)
