"""More characters count as words, and whether a title has any is asked behind all else."""

# As tracker/domain.py and tracker/tasks.py have it.
DENSE = (
    r"\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\ufa0e-\ufa29"
    r"\U00020000-\U0003ffff"
)
SPACED = f"regexp_replace(search_text, '([{DENSE}])', ' \\1 ', 'g')"
# `~` would be looked for among the trigrams of the other index, too, and asked of each title first.
ANEW = f"""
DROP INDEX task_short_words;
DROP STATISTICS task_short_words_frequency;
CREATE INDEX task_short_words ON task USING gin ({SPACED} gin_trgm_ops)
    WHERE regexp_instr(search_text, '[{DENSE}]') <> 0;
CREATE STATISTICS task_short_words_frequency ON ({SPACED}) FROM task;
ANALYZE task;
"""


def up(migrator, db):
    db.execute_sql(ANEW)
