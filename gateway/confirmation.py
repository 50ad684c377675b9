"""What asks for the password again if it was given long ago: moving everything, closing a day,
changing roles.
"""

from datetime import datetime, timedelta
from urllib.parse import quote

from flask import Response

from common.config import Config
from common.errors import Forbidden
from common.say import say
from common.web import respond
from gateway.sessions import Session

# What is sent to the left was on the page to the right.
FORMS = {"/reassignments": "/reassignments/new", "/payout-runs": "/payout-runs"}


class ConfirmFirst(Forbidden):
    """`back` is the page whose form was sent."""

    def __init__(self, back: str) -> None:
        super().__init__(say("Please confirm your password at /account/confirmation first."))
        self.back = back


class StepUp:
    """How long a password given counts."""

    def __init__(self, settings: Config) -> None:
        self.life = timedelta(seconds=settings.integer("EXCHANGE_STEP_UP_S", 28_800))

    def check(self, caller: Session, back: str | None, *, now: datetime) -> None:
        """Raises ConfirmFirst if the form of that page needs a password given lately; None: no
        form that does.
        """
        if back and now - caller.confirmed_at > self.life:
            raise ConfirmFirst(back)


def answer_to(refusal: ConfirmFirst) -> Response:
    """To the page that asks and leads back; a program is told so."""
    if respond.wants_json():
        return respond.error_page(refusal.status, refusal.sentence)
    return respond.see_other(f"/account/confirmation?next={quote(refusal.back, safe='/')}")
