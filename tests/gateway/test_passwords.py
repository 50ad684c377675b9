"""Which passwords may be chosen."""

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from gateway import passwords

BOB = {"email": "bobsmith@example.com", "name": "Robert Smith"}


@pytest.mark.parametrize(
    "password",
    [
        "correct horse",
        "exchange-demo",
        "a-password-for-benches",
        "x7#kQ9!vLm",
        "пароль из нескольких слов",
        "all of this is lower case and without a digit " * 2,
    ],
)
def test_length_is_what_counts(password):
    assert passwords.problem(password, **BOB) is None


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "10 to 128"),
        ("x7#kQ9!vL", "10 to 128"),
        ("ab" * 65, "10 to 128"),
        ("password123", "among the first"),
        ("1234567890", "among the first"),
        ("qwertyuiop", "among the first"),
        ("Password123!", "among the first"),
        ("P@ssw0rd2024", "among the first"),
        ("aaaaaaaaaaaaaaaaaaaaaa", "among the first"),
        ("Smith123456", "among the first"),
        ("BobSmith-is-here", "your name or e-mail"),
        ("i am robert smith", "your name or e-mail"),
        ("RobertSmith, again", "your name or e-mail"),
    ],
)
def test_what_is_guessed_first_is_refused(password, words):
    assert words in (passwords.problem(password, **BOB) or "")


def test_a_short_name_does_not_forbid_half_the_words():
    assert passwords.problem("a book about bees", email="al@example.com", name="Al") is None


def test_what_is_beyond_the_longest_password_is_not_left_out():
    longest = "ab" * 64

    assert passwords.fits(passwords.digest(longest), longest)
    assert not passwords.fits(passwords.digest(longest), longest + "!")


def test_many_at_once_leave_no_memory_behind():
    kept = passwords.digest("a book about bees")
    before = psutil.Process().memory_info().rss

    with ThreadPoolExecutor(8) as crowd:
        assert all(crowd.map(lambda _: passwords.fits(kept, "a book about bees"), range(80)))

    assert psutil.Process().memory_info().rss - before < 40 * 2**20
