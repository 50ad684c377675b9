"""Words found are marked where they are in what was typed, however they were folded."""

import pytest

from tracker.marks import marked


@pytest.mark.parametrize(
    ("text", "words", "shown"),
    [
        ("Mop the floor", ["MOP", "oo"], "<mark>Mop</mark> the fl<mark>oo</mark>r"),
        ("Straße", ["strasse"], "<mark>Straße</mark>"),
        ("Straße", ["s"], "<mark>S</mark>tra<mark>ß</mark>e"),
        ("İstanbul", ["ist"], "<mark>İst</mark>anbul"),
        ("ﬁnal", ["i"], "<mark>ﬁ</mark>nal"),
        ("aaaa", ["aa", "a"], "<mark>aaaa</mark>"),
        ("a & b", ["&"], "a <mark>&amp;</mark> b"),
        ("<script>", ["script"], "&lt;<mark>script</mark>&gt;"),
        ("Обновить", ["НОВ"], "Об<mark>нов</mark>ить"),
        ("nothing", ["x"], "nothing"),
        (None, ["x"], ""),
        ("as it is", [], "as it is"),
    ],
)
def test_words_are_marked(text: str | None, words: list[str], shown: str) -> None:
    assert marked(text, words) == shown
