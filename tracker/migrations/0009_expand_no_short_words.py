"""No index for words of one or two characters alone: see the next."""

NO_INDEX = """
DROP INDEX IF EXISTS task_short_words;
DROP STATISTICS IF EXISTS task_short_words_frequency;
"""


def up(migrator, db):
    db.execute_sql(NO_INDEX)
