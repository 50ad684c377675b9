"""The tracker's processes and commands."""

from common.service import Service
from tracker.models import store

service = Service(
    name="tracker",
    app="tracker.app:create_app",
    store=store,
    handlers="tracker.handlers:HANDLERS",
    listens=("gateway", "accounting"),
    has_relay=True,
    has_jobs=True,
    tick="tracker.jobs.tick",
    tick_s=10,
)
