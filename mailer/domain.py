"""What may stand on an envelope, and how long one tries: rules without a mail server."""

import re
from datetime import datetime, timedelta

from common.events import LinkIssued, PayoutMade

GIVE_UP_AFTER = timedelta(days=2)
BACKOFF_MAX_S = 3600.0

CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"\\]+@[^\s@<>()\[\],;:\"\\]+")


def one_line(text: str) -> str:
    """The text with every control character, CR and LF above all, made a space."""
    return CONTROL.sub(" ", text).strip()


def has_expired(about: PayoutMade | LinkIssued, now: datetime) -> bool:
    """Whether the letter is of no use any more: its link opens nothing."""
    return isinstance(about, LinkIssued) and about.expires_at <= now


def is_address(email: str) -> bool:
    """Whether it can stand in an SMTP command and names exactly one mailbox."""
    return ADDRESS.fullmatch(email) is not None and CONTROL.search(email) is None


def host_of(email: str) -> str:
    return email.rpartition("@")[2].lower()


def backoff(attempts: int, chance: float) -> timedelta:
    """How long to wait after the attempt numbered `attempts`: doubling from 1 s to an hour, up to
    half as long again by `chance` in [0, 1), so that letters do not come back together.
    """
    seconds = min(BACKOFF_MAX_S, 2.0 ** min(attempts - 1, 12))
    return timedelta(seconds=min(BACKOFF_MAX_S, seconds * (1 + chance / 2)))


def is_over(queued_at: datetime, now: datetime) -> bool:
    """Whether the letter has been tried long enough."""
    return now - queued_at >= GIVE_UP_AFTER
