"""`make messages`: the catalogues hold every sentence of the code, no other, and
those that are translated are compiled for use.
"""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from common.web.language import LANGUAGES, TRANSLATIONS

ROOT = TRANSLATIONS.parent.parent
PARTS = ("common", "gateway", "tracker", "accounting", "analytics", "mailer")
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
TEMPLATES = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
REFUSALS = ("Away", "Conflict", "Forbidden", "NotAllowed", "NotFound", "Refused", "TooLarge")
KEYWORDS = {**DEFAULT_KEYWORDS, "say": None, "say_many": (1, 2), **dict.fromkeys(REFUSALS)}


def extracted() -> Catalog:
    """Every sentence that a page may show, with the files it is in."""
    found = Catalog()
    for part in PARTS:
        for name, _, message, comments, context in extract_from_dir(
            ROOT / part, METHODS, TEMPLATES, KEYWORDS, strip_comment_tags=True
        ):
            found.add(message, None, [(f"{part}/{name}", 0)], (), comments, context=context)
    return found


def path_of(language: str, suffix: str = "po") -> Path:
    return TRANSLATIONS / language / "LC_MESSAGES" / f"messages.{suffix}"


def read(language: str) -> Catalog:
    with path_of(language).open("rb") as file:
        return read_po(file, language)


def brought_up_to_date(language: str) -> Catalog:
    """What is translated, for the sentences there are now."""
    is_new = not path_of(language).exists()
    catalog = Catalog(language, project="Task Exchange", fuzzy=False) if is_new else read(language)
    catalog.header_comment = f"# Task Exchange in {LANGUAGES[language]}."
    catalog.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    return catalog


def untranslated(catalog: Catalog) -> list[str]:
    """The sentences that would be shown in English."""
    strings = ((each.id, each.string) for each in catalog if each.id)
    return [
        str(ids)
        for ids, said in strings
        if not (all(said) if isinstance(said, list | tuple) else said)
    ]


def main() -> None:
    for language in LANGUAGES:
        if language == "en":
            continue
        catalog = brought_up_to_date(language)
        path_of(language).parent.mkdir(parents=True, exist_ok=True)
        with path_of(language).open("wb") as file:
            write_po(file, catalog, width=100, sort_output=True, include_lineno=False)
        with path_of(language, "mo").open("wb") as file:
            write_mo(file, catalog)
        print(f"{language}: {len(catalog)} sentences, {len(untranslated(catalog))} to translate")


if __name__ == "__main__":
    main()
