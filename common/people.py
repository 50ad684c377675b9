"""Each listening service's own small copy of who there is, kept by `user.*` events."""

from collections.abc import Sequence
from uuid import UUID

from common.db import Row, Server
from common.events import UserAdded, UserChanged

TABLE = """
CREATE TABLE person (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL,
    is_active boolean NOT NULL,
    version bigint NOT NULL
)
"""

LEARN = """
    INSERT INTO person (id, name, role, is_active, version)
    SELECT DISTINCT ON (id) * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::bool[], %s::int[])
        AS news (id, name, role, is_active, version) ORDER BY id, version DESC
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role,
        is_active = excluded.is_active, version = excluded.version
    WHERE person.version < excluded.version
"""


def learn(primary: Server, events: Sequence[UserAdded | UserChanged]) -> None:
    """The newest state of each person is known; what is older changes nothing."""
    facts = [(str(e.user_id), e.name, e.role, e.is_active, e.user_version) for e in events]
    primary.run(LEARN, *[list(column) for column in zip(*facts, strict=True)])


def names(db: Server, ids: Sequence[UUID]) -> dict[UUID, str]:
    """`{person_id: name}` of those asked for and known."""
    wanted = [str(each) for each in set(ids)]
    found = db.rows("SELECT id, name FROM person WHERE id = ANY(%s::uuid[])", wanted)
    return {row["id"]: row["name"] for row in found}


def reference(person_id: UUID, known: dict[UUID, str]) -> Row:
    """`{"id", "name"}` as pages and JSON show a person; one not heard of yet shows by id."""
    return {"id": person_id, "name": known.get(person_id, str(person_id)[:8])}
