"""Han, kana and hangul are found by the index that finds all other words, each of them: the text
that a search looks through ends with a line in which each of them is by itself.
"""

# As tracker/domain.py has it.
DENSE = (
    r"\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\ufa0e-\ufa29"
    r"\U00020000-\U0003ffff"
)
APART = rf"""
UPDATE task SET search_text = search_text || E'\n' || regexp_replace(
    split_part(search_text, E'\n', 2), '([{DENSE}])', E'\x1f\\1\x1f', 'g')
WHERE search_text ~ '[{DENSE}]'
"""
NO_INDEX = """
DROP STATISTICS task_short_words_frequency;
DROP INDEX task_short_words;
"""


def up(migrator, db):
    # Nobody can read tasks from the last statement on.
    for statement in (APART, "ANALYZE task", NO_INDEX):
        db.execute_sql(statement)
