"""What the mailer says about letters."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from common.events.base import Event


class LetterSettled(Event, name="letter.settled", version=1):
    """A letter about `cause_id` (a payout) was taken by the mail server, or given up."""

    letter_id: UUID
    cause_id: UUID
    state: Literal["sent", "failed"]
    settled_at: datetime
