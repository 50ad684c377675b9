"""Passwords: argon2id, the same time for whoever does not exist, and none that is guessed first."""

import ctypes
from contextlib import suppress
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from common.say import say

HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
LENGTH_MIN, LENGTH_MAX = 10, 128
GIVEN_MIN = 8
RULE = say(
    "A password has %(low)s to %(high)s characters; several words make a good one.",
    low=LENGTH_MIN,
    high=LENGTH_MAX,
)
# zxcvbn's scores: 0 and 1 are what a list of leaked passwords and a few rules find in a million
# guesses.  It reads no more than 72 characters.
SCORE_MIN, READ_MAX = 2, 72
PART_MIN = 4

# Each hash takes 19 MB for 20 ms.  glibc would keep them in every thread's heap, 300 MB in sixteen
# threads; what is mapped by itself is given back.  Other libraries do so anyway.
M_MMAP_THRESHOLD, MAPPED_FROM = -3, 1 << 20
with suppress(AttributeError):
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MAPPED_FROM)


def digest(password: str) -> str:
    """What is kept of a password."""
    return HASHER.hash(password)


@cache
def nobodys() -> str:
    """A hash that no password fits, as dear to check as any."""
    return digest("nobody's")


def fits(password_hash: str | None, password: str) -> bool:
    """Whether the password is the hash's; None fits nothing, in the same time."""
    try:
        HASHER.verify(password_hash or nobodys(), password[:LENGTH_MAX])
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None and len(password) <= LENGTH_MAX


def problem(password: str, *, email: str, name: str) -> str | None:
    """Why this person may not choose it, in a sentence; None if they may."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        return RULE
    if any(part in password.lower() for part in parts(email, name)):
        return say("A password must not contain your name or e-mail address.")
    if is_guessed_first(password, *name.split(), *email.split("@")):
        return say(
            "This password is among the first that anybody would guess; please choose another."
        )
    return None


def parts(email: str, name: str) -> list[str]:
    """What of a person's name and address is long enough to be recognised."""
    words = [email, email.partition("@")[0], name, name.replace(" ", "")]
    return [word.lower() for word in words if len(word) >= PART_MIN]


def is_guessed_first(password: str, *known: str) -> bool:
    """Whether a list of leaked passwords, and what is known of the person, lead to it soon."""
    from zxcvbn import zxcvbn  # its word lists take 14 MB, which relays and commands can do without

    return zxcvbn(password[:READ_MAX], user_inputs=known)["score"] < SCORE_MIN
