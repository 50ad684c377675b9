"""`/events/<service>/dead/<id>/…`: redrive and discard, in the service that owns the letter."""

from uuid import UUID

from flask import Blueprint, Response, g, request

from common import dead
from common.consume import Handlers
from common.db import Store
from common.errors import Invalid
from common.say import say
from common.web import require, respond

REASON_MAX = 500


def blueprint(store: Store, handlers: Handlers) -> Blueprint:
    """The two routes of one service."""
    bp = Blueprint("dead", __name__, url_prefix=f"/events/{store.name}/dead/<uuid:dead_id>")

    @bp.post("/redrive")
    def redrive(dead_id: UUID) -> Response:
        require("admin")
        row = dead.redrive(store.primary, dead_id, handlers, by=str(g.user.id))
        facts = dead.facts(row, store.name)
        return respond.done("/events", facts, message=say("The event was handled."))

    @bp.post("/discard")
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
