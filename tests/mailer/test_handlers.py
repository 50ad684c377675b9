"""People and payouts as the mailer hears of them, in any order and any number of times."""

from uuid import uuid4

from common import clock
from common.events import LanguageChosen, UserAdded, UserChanged
from mailer import handlers, letters
from mailer.models import primary
from tests.mailer.conftest import paid, payout, rows


def known(email: str, version: int, kind: type = UserChanged, **changes: object) -> None:
    facts = {"name": "Bob", "role": "worker", "is_active": True} | changes
    with primary.atomic():
        handlers.learn_addresses([kind(email=email, user_version=version, **facts)])


def addresses() -> list[tuple[str, str, int]]:
    found = primary.rows("SELECT email, name, version FROM address ORDER BY email")
    return [(row["email"], row["name"], row["version"]) for row in found]


def chosen(person, *languages: tuple[str, int]) -> None:
    with primary.atomic():
        handlers.learn_languages(
            [LanguageChosen(user_id=person, language=code, language_version=n)
             for code, n in languages]
        )  # fmt: skip


def readers() -> list[tuple[str, int]]:
    return [(row["language"], row["version"]) for row in primary.rows("SELECT * FROM reader")]


def test_a_payout_makes_one_queued_letter(cast):
    made = payout(cast.bob.id)

    paid(made)

    [letter] = rows()
    assert (letter["state"], letter["cause_id"]) == ("queued", made.payout_id)
    assert letter["subject"] == "You were paid 123.00 EUR for Friday 20 November"


def test_a_payout_heard_of_twice_makes_one_letter(cast):
    made = payout(cast.bob.id)

    paid(made, made)
    paid(made)

    assert len(rows()) == 1


def test_a_letter_waits_for_an_address_that_comes_later(clean):
    late = uuid4()
    paid(payout(late))
    assert rows()[0]["state"] == "unaddressed"

    known("late@example.com", 1, UserAdded, user_id=late)

    assert rows()[0]["state"] == "queued"


def test_somebody_elses_address_queues_nothing(clean):
    paid(payout(uuid4()))

    known("other@example.com", 1, user_id=uuid4())

    assert rows()[0]["state"] == "unaddressed"


def test_the_newest_address_wins_whatever_comes_last(clean):
    person = uuid4()

    known("third@example.com", 3, user_id=person)
    known("first@example.com", 1, UserAdded, user_id=person)

    assert addresses() == [("third@example.com", "Bob", 3)]


def test_of_several_addresses_in_one_batch_the_newest_is_kept(clean):
    person = uuid4()
    facts = {"user_id": person, "name": "Bob", "role": "worker", "is_active": True}

    with primary.atomic():
        handlers.learn_addresses(
            [UserChanged(email=f"{n}@example.com", user_version=n, **facts) for n in (2, 5, 3)]
        )

    assert addresses() == [("5@example.com", "Bob", 5)]


def test_a_person_who_left_is_still_written_to(cast):
    paid(payout(cast.eve.id))

    assert rows()[0]["state"] == "queued"


def test_the_newest_language_wins_whatever_comes_last(clean):
    person = uuid4()

    chosen(person, ("ru", 0))
    chosen(person, ("ru", 2), ("en", 3), ("en", 1))
    chosen(person, ("ru", 2))

    assert readers() == [("en", 3)]


def test_a_language_may_be_heard_of_before_its_person(clean):
    late = uuid4()
    paid(payout(late))

    chosen(late, ("ru", 1))
    known("late@example.com", 1, UserAdded, user_id=late)

    [letter] = letters.lease(clock.now())
    assert (letter.email, letter.language) == ("late@example.com", "ru")


def test_who_chose_no_language_reads_english(cast):
    chosen(cast.cat.id, ("ru", 1))
    paid(payout(cast.bob.id))

    [letter] = letters.lease(clock.now())
    assert letter.language == "en"
