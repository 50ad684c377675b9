"""The gateway's tables: people and their sessions."""

from uuid import UUID

from common.db import Row, Server
from common.outbox import Outbox
from common.store import Store

store = Store("gateway")
primary, replica = store.primary, store.replica
outbox = Outbox(primary, "gateway")

USER = "id, email, name, role, is_active AS active"


def user(db: Server, user_id: UUID) -> Row | None:
    """The person as pages and JSON show one."""
    return db.row(f"SELECT {USER} FROM person WHERE id = %s", user_id)


def sessions_of(db: Server, user_id: UUID, current: UUID) -> list[Row]:
    """The person's sessions, the latest seen first, `current` marked."""
    return db.rows(
        "SELECT id, device, address, last_seen_at AS last_seen, id = %s AS current FROM session"
        " WHERE user_id = %s AND expires_at > now() ORDER BY last_seen_at DESC",
        current,
        user_id,
    )
