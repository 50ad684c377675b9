"""`exchange mailer …`."""

from common.figures import Gauge
from common.retention import Kept
from common.service import Service
from mailer.models import store

TRACED = """
    SELECT coalesce(settled_at, queued_at, now()), concat_ws(' ', 'letter', id, state, error)
    FROM letter WHERE cause_id = ANY(%(ids)s::uuid[])
"""
LETTERS = Gauge(
    "exchange_letters",
    "Letters that have not gone out.",
    "SELECT state, count(*) AS value FROM letter WHERE state <> 'sent' GROUP BY state",
)
LETTER_AGE = Gauge(
    "exchange_letter_oldest_seconds",
    "How long the oldest letter on its way has been waiting.",
    "SELECT coalesce(extract(epoch FROM now() - min(queued_at)), 0) AS value FROM letter"
    " WHERE state IN ('queued', 'sending')",
)

# While the mail server has one letter, another is written and a third committed.
SENDERS = 3

# Longer than any event may come again: the letter's row is what keeps it from being sent twice.
KEPT = Kept(
    "letter",
    "DELETE FROM letter WHERE id IN (SELECT id FROM letter"
    " WHERE state IN ('sent', 'failed') AND id < %(before_id)s AND settled_at < %(before)s"
    " LIMIT %(limit)s FOR UPDATE SKIP LOCKED)",
    days=400,
    setting="EXCHANGE_LETTER_DAYS",
    days_min=90,
)

service = Service(
    name="mailer",
    app="mailer.app:create_app",
    store=store,
    handlers="mailer.handlers:HANDLERS",
    listens=("gateway", "accounting"),
    beside=("mailer.sender:Sender",) * SENDERS,
    has_relay=True,
    kept=(KEPT,),
    traced=TRACED,
    gauges=(LETTERS, LETTER_AGE),
)
