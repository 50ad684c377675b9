"""Words of one or two Han, kana or hangul characters are found through an index."""

# As in tracker/tasks.py.
DENSE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\U00020000-\U0003ffff"
SPACED = f"regexp_replace(search_text, '([{DENSE}])', ' \\1 ', 'g')"
# Only titles that have such characters are in it.
INDEX = f"""
CREATE INDEX task_short_words ON task USING gin ({SPACED} gin_trgm_ops)
    WHERE search_text ~ '[{DENSE}]'
"""
# How often a word occurs decides whether the index or the newest tasks are looked through, and the
# planner takes that from no partial index.
STATISTICS = f"CREATE STATISTICS task_short_words_frequency ON ({SPACED}) FROM task"


def up(migrator, db):
    for statement in (INDEX, STATISTICS):
        db.execute_sql(statement)
