"""`exchange mailer …`."""

from common.service import Service
from mailer.models import store

service = Service(
    name="mailer",
    app="mailer.app:create_app",
    store=store,
    handlers="mailer.handlers:HANDLERS",
    listens=("gateway", "accounting"),
    beside="mailer.sender:Sender",
    has_relay=True,
)
