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
WHERE search_text ~ '[{DENSE}]' AND strpos(search_text, E'\x1f') = 0
"""
MEANING = (
    "COMMENT ON COLUMN task.search_text IS 'key and title as domain.search_text() writes them'"
)


def up(migrator, db):
    for statement in (APART, "ANALYZE task", MEANING):
        db.execute_sql(statement)
