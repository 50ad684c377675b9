"""Passwords: argon2id, and the same time for whoever does not exist."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
LENGTH_MIN, LENGTH_MAX = 10, 200


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
    return password_hash is not None
