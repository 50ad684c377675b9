"""What letters say: each is a value, which one template shows as text and another as HTML."""

from datetime import datetime, timedelta

import msgspec

from common.events import LinkIssued, PayoutMade
from common.say import Day, Moment, Money, Sentence, say, say_many

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Wording(msgspec.Struct, frozen=True):
    """A letter's parts, in the order in which they are read."""

    opening: Sentence
    button: Sentence
    figures: tuple[tuple[Sentence, Money], ...] = ()  # the last one is what they come to
    notes: tuple[Sentence, ...] = ()


def subject(about: PayoutMade | LinkIssued) -> Sentence:
    """`You were paid 123.00 EUR for Friday 20 November`."""
    match about:
        case PayoutMade():
            amount = Money(about.amount_cents, about.currency)
            return say("You were paid %(amount)s for %(day)s", amount=amount, day=Day(about.day))
        case LinkIssued(purpose="invitation"):
            return say("You are invited to Task Exchange")
    return say("Choose a new password for Task Exchange")


def wording(about: PayoutMade | LinkIssued, now: datetime) -> Wording:
    """What the letter tells whoever gets it `now`."""
    if isinstance(about, PayoutMade):
        return payout(about)
    return invitation(about, now) if about.purpose == "invitation" else reset(about, now)


def payout(paid: PayoutMade) -> Wording:
    rows = (
        (say("Carried over"), paid.carried_cents),
        (say("Rewards"), paid.rewards_cents),
        (say("Fees"), -paid.fees_cents),
        (say("Paid out"), paid.amount_cents),
    )
    amount = Money(paid.amount_cents, paid.currency)
    return Wording(
        opening=say("You were paid %(amount)s for %(day)s.", amount=amount, day=Day(paid.day)),
        figures=tuple((name, Money(cents, paid.currency)) for name, cents in rows),
        button=say("See every transfer"),
    )


def invitation(link: LinkIssued, now: datetime) -> Wording:
    return Wording(
        opening=say("You have been given access to Task Exchange."),
        button=say("Choose your password"),
        notes=(
            life(link.expires_at, now),
            say("After that, “Forgotten your password?” on the sign-in page sends another."),
        ),
    )


def reset(link: LinkIssued, now: datetime) -> Wording:
    return Wording(
        opening=say("You asked for a new password for Task Exchange."),
        button=say("Choose a new password"),
        notes=(
            life(link.expires_at, now),
            say("If it was not you who asked, do nothing: your password stays as it is."),
        ),
    )


def life(until: datetime, now: datetime) -> Sentence:
    """How long a link is good for: in days, from two on, or else in hours."""
    if until - now > 2 * DAY - HOUR:
        return say_many(
            "The link works once, within %(n)s day: until %(until)s.",
            "The link works once, within %(n)s days: until %(until)s.",
            n=round((until - now) / DAY),
            until=Moment(until),
        )
    return say_many(
        "The link works once, within %(n)s hour: until %(until)s.",
        "The link works once, within %(n)s hours: until %(until)s.",
        n=max(1, round((until - now) / HOUR)),
        until=Moment(until),
    )
