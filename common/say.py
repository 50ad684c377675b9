"""Sentences for people: written in English where they arise, shown in the reader's language."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from common.money import NO_BREAK, format_cents


class Sentence(str):
    """The English text, which is what programs and logs see; and what a translation needs of it."""

    template: str
    plural: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Money:
    """An amount in a sentence: `123.00 EUR`."""

    cents: int
    currency: str

    def __str__(self) -> str:
        return format_cents(self.cents, self.currency).replace(NO_BREAK, " ")


@dataclass(frozen=True)
class Day:
    """A day in a sentence: `Friday 20 November`."""

    date: date

    def __str__(self) -> str:
        return f"{self.date:%A} {self.date.day} {self.date:%B}"


@dataclass(frozen=True)
class Moment:
    """A time in a sentence: `Friday 20 November, 09:30 UTC`."""

    at: datetime

    def __str__(self) -> str:
        utc = self.at.astimezone(UTC)
        return f"{Day(utc)}, {utc:%H:%M} UTC"


def say(template: str, /, **values: Any) -> Sentence:
    """The sentence with its `%(name)s` filled in: numbers with their thousands apart, words
    of a tuple with an "and" between, another sentence as it is."""
    return filled(template, template, "", values)


def say_many(one: str, many: str, /, *, n: int, **values: Any) -> Sentence:
    """The same, `one` if `n` is 1 and else `many`."""
    return filled(one if n == 1 else many, one, many, {"n": n, **values})


def word(text: str) -> Sentence:
    """A word that stands in data, such as a state, as part of a sentence."""
    return filled(text, text, "", {})


def filled(pattern: str, template: str, plural: str, values: dict[str, Any]) -> Sentence:
    english = {name: in_english(value) for name, value in values.items()}
    made = Sentence(pattern % english if values else pattern)
    made.template, made.plural, made.values = template, plural, values
    return made


def in_english(value: Any) -> Any:
    if isinstance(value, tuple):
        return " and ".join(value)
    return f"{value:,}" if isinstance(value, int) else value
