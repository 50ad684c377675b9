"""Every sentence is said in every language, with the same values in it."""

from datetime import date

import pytest
from flask import Flask

from common.errors import Conflict
from common.say import say, say_many, word
from common.web import language, messages, respond

RUSSIAN = {"Accept-Language": "ru-RU, en;q=0.5"}


@pytest.fixture
def app():
    made = Flask("spoken")
    language.install(made)
    return made


def test_nothing_is_left_untranslated():
    catalog = messages.brought_up_to_date("ru")

    assert messages.untranslated(catalog) == []


def test_a_translation_has_the_values_of_its_sentence():
    catalog = messages.read("ru")

    assert {
        each.id: problems for each in catalog if each.id and (problems := list(each.check()))
    } == {}


def test_what_is_compiled_is_what_is_translated(app):
    catalog = messages.read("ru")

    with app.test_request_context(headers=RUSSIAN):
        shown = {each.id: language.translated(each.id) for each in catalog if is_plain(each)}

    assert shown == {each.id: each.string for each in catalog if is_plain(each)}


def is_plain(message):
    return message.id and isinstance(message.id, str) and "%" not in message.id


def test_a_sentence_is_english_to_programs_and_spoken_to_readers(app):
    refusal = Conflict("There are %(now)s open tasks now, not %(before)s.", now=1200, before=9)

    with app.test_request_context(headers=RUSSIAN):
        told = respond.json({"error": refusal.sentence}).json

    assert str(refusal) == "There are 1,200 open tasks now, not 9."
    assert told == {"error": "Теперь открытых задач 1\u00a0200, а не 9."}


@pytest.mark.parametrize(("minutes", "words"), [(1, "1 минуту"), (3, "3 минуты"), (15, "15 минут")])
def test_numbers_have_their_endings(app, minutes, words):
    sentence = say_many(
        "That was tried too often; please wait a minute and try again.",
        "That was tried too often; please wait %(n)s minutes and try again.",
        n=minutes,
    )

    with app.test_request_context(headers=RUSSIAN):
        assert f" {words} " in language.translated(sentence)


def test_what_people_wrote_is_no_pattern(app):
    title = "100 % done %(name)s"

    with app.test_request_context(headers=RUSSIAN):
        told = language.translated(say("“%(title)s” was withdrawn.", title=title))

    assert told == "«100 % done %(name)s»: задача снята."
    assert word("100 %") == "100 %"


def test_a_day_in_a_sentence_is_spelled_to_readers_alone(app):
    sentence = say("The books of %(day)s were closed.", day=date(2026, 3, 2))

    with app.test_request_context(headers=RUSSIAN):
        told = language.translated(sentence)

    assert str(sentence) == "The books of 2026-03-02 were closed."
    assert told == "День пн, 2 мар. 2026 закрыт."


@pytest.mark.parametrize(
    ("asked", "shown"), [("ru", "−1\u00a0234,50\u00a0EUR"), ("fr", "−1,234.50\u00a0EUR")]
)
def test_money_is_spelled_in_the_readers_way(app, asked, shown):
    with app.test_request_context(headers={"Accept-Language": asked}):
        assert language.cents(-123450, "EUR") == shown
