"""Where the words that were searched for are in what is shown."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from tracker.domain import folded


def marked(text: str | None, words: Sequence[str]) -> Markup:
    """The text as HTML, every place where one of the words is in it marked."""
    if not text or not words:
        return escape(text or "")
    parts, end = [], 0
    for start, stop in places(text, [folded(word) for word in words]):
        parts += [escape(text[end:start]), Markup("<mark>{}</mark>").format(text[start:stop])]
        end = stop
    return Markup().join([*parts, escape(text[end:])])


def places(text: str, words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """From where to where in the text the words are, none overlapping.  Folded, a character may be
    several, so each of those says whose it is.
    """
    letters = [(letter, n) for n, each in enumerate(text) for letter in folded(each)]
    searched, owners = "".join(letter for letter, _ in letters), [n for _, n in letters]
    hit: set[int] = set()
    for word in filter(None, words):
        at = searched.find(word)
        while at >= 0:
            hit.update(owners[at : at + len(word)])
            at = searched.find(word, at + 1)
    found = sorted(hit)
    for n, place in enumerate(found):
        if n and found[n - 1] == place - 1:
            continue
        stop = place
        while stop in hit:
            stop += 1
        yield place, stop
