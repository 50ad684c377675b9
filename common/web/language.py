"""The reader's language: which it is, and sentences, numbers, money and days spelled in it.

The gateway writes what a person chose by hand into `Accept-Language`, so that this header alone
decides, here and in every service.
"""

from datetime import UTC, date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale, negotiate_locale
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from flask import Flask, has_app_context, has_request_context, request
from flask_babel import Babel, get_locale

from common.money import MINUS, NO_BREAK
from common.say import Day, Moment, Money, Sentence

LANGUAGES = {"en": "English", "ru": "Русский"}
TRANSLATIONS = Path(__file__).parent.parent / "translations"


def install(app: Flask) -> None:
    """Templates have `_`, `ngettext` and `{% trans %}`, and the filters of this module."""
    Babel(app, default_translation_directories=str(TRANSLATIONS), locale_selector=preferred)
    app.jinja_env.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    app.jinja_env.globals["_"] = app.jinja_env.globals["gettext"]
    app.jinja_env.finalize = shown
    app.jinja_env.filters.update(number=number, word=translated, spelled=spelled)
    app.jinja_env.globals.update(languages=LANGUAGES, language=language)


def asked() -> str | None:
    """The language that the browser would rather have; None if it wants none of ours, or there is
    no browser.
    """
    if not has_request_context():
        return None
    return negotiate_locale(request.accept_languages.values(), LANGUAGES, sep="-")


def preferred() -> str:
    return asked() or "en"


def language() -> str:
    """`en` or `ru`: the language of the page or the letter being made."""
    return get_locale().language if has_app_context() else "en"


@lru_cache
def catalogue(locale: str) -> NullTranslations:
    """What that language says for each sentence; of English, which they are in, nothing."""
    return Translations.load(TRANSLATIONS, [locale])


# Flask-Babel's own look for the app, the reader and the catalogue anew at each of a page's hundreds
# of words.
def gettext(text: str) -> str:
    return catalogue(language()).gettext(text)


def ngettext(one: str, many: str, n: int) -> str:
    return catalogue(language()).ngettext(one, many, n)


def shown(value: Any) -> Any:
    """A page shows every sentence in its language, wherever it comes from."""
    return spelled(value) if isinstance(value, Sentence | Money) else value


def translated(text: str) -> str:
    """A sentence, or a word that stands in data, in the reader's language."""
    if not text or not has_app_context():
        return text
    if not isinstance(text, Sentence):
        return gettext(text)
    values = {name: spelled(value) for name, value in text.values.items()}
    if text.plural:
        return ngettext(text.template, text.plural, text.values["n"]) % values
    return gettext(text.template) % values if values else gettext(text.template)


def spelled(value: Any) -> Any:
    """A value of a sentence."""
    match value:
        case Money() if language() == "en":  # for a no-break space a subject would be encoded
            return str(value)
        case Money():
            return cents(value.cents, value.currency)
        case Day():
            return spelled_day(value.date, gettext("EEEE d MMMM"), language())
        case Moment():
            utc = value.at.astimezone(UTC)
            return f"{spelled(Day(utc.date()))}, {utc:%H:%M} UTC"
        case int():
            return number(value)
        case Sentence():
            return translated(value)
        case date():
            return weekday(value)
        case tuple():
            return format_list([gettext(word) for word in value], locale=get_locale())
    return value


def number(count: int) -> str:
    """`12,345`; in Russian `12 345`."""
    return spelled_number(count, language())


def cents(amount: int, currency: str) -> str:
    """`−1,234.56 EUR`; in Russian `−1 234,56 EUR`."""
    return spelled_cents(amount, currency, language())


def weekday(day: date) -> str:
    """`Sun 22 Nov 2026`; in Russian `вс, 22 нояб. 2026`."""
    return spelled_day(day, gettext("EEE dd MMM y"), language())


def short_day(day: date) -> str:
    """`22 Nov 2026`."""
    return spelled_day(day, "d MMM y", language())


def month(day: date) -> str:
    """`November 2026`."""
    return spelled_day(day, "LLLL y", language())


# A page spells the same few amounts and days again and again, and Babel takes 20 µs for each.
@lru_cache(4096)
def spelled_number(count: int, locale: str) -> str:
    return format_decimal(count, locale=Locale(locale))


@lru_cache(4096)
def spelled_cents(amount: int, currency: str, locale: str) -> str:
    digits = format_decimal(Decimal(abs(amount)) / 100, "#,##0.00", Locale(locale))
    return (MINUS if amount < 0 else "") + digits + (f"{NO_BREAK}{currency}" if currency else "")


@lru_cache(1024)
def spelled_day(day: date, pattern: str, locale: str) -> str:
    return format_date(day, pattern, Locale(locale))
