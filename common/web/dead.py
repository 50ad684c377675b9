"""`/events/<service>/dead/…`: redrive and discard, in the service that owns the letters."""

from uuid import UUID

from flask import Blueprint, Response, g, request

from common import dead
from common.consume import Handlers
from common.errors import Invalid
from common.say import say
from common.store import Store
from common.web import require, respond

REASON_MAX = 500
REDRIVE_S = 4.0  # the gateway waits for eight


def blueprint(store: Store, handlers: Handlers) -> Blueprint:
    """The routes of one service."""
    bp = Blueprint("dead", __name__, url_prefix=f"/events/{store.name}/dead")

    @bp.post("/redrive")
    def redrive_all() -> Response:
        require("admin")
        by = str(g.user.id)
        handled, failed = dead.redrive_all(store.primary, handlers, by=by, within_s=REDRIVE_S)
        left = store.primary.value("SELECT count(*) FROM dead_letter")
        facts = {"handled": handled, "failed": len(failed), "left": left}
        message = f"Events handled: {handled:,}; failed again: {len(failed):,}; left: {left:,}."
        return respond.done("/events", facts, message=message)

    @bp.post("/<uuid:dead_id>/redrive")
    def redrive(dead_id: UUID) -> Response:
        require("admin")
        row = dead.redrive(store.primary, dead_id, handlers, by=str(g.user.id))
        facts = dead.facts(row, store.name)
        return respond.done("/events", facts, message=say("The event was handled."))

    @bp.post("/<uuid:dead_id>/discard")
    def discard(dead_id: UUID) -> Response:
        require("admin")
        reason = request.form.get("reason", "").strip()
        if not reason or len(reason) > REASON_MAX:
            raise Invalid(
                {"reason": say("Say why, in up to %(most)s characters.", most=REASON_MAX)}
            )
        row = dead.discard(store.primary, dead_id, reason=reason, by=str(g.user.id))
        facts = dead.facts(row, store.name)
        return respond.done("/events", facts, message=say("The event was discarded."))

    return bp
