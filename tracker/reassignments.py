"""Reassignments, and other runs, as pages and JSON show them."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from itsdangerous import BadData, URLSafeTimedSerializer

from common import clock
from common.db import Row, Server
from common.errors import Conflict, NotFound
from tracker import domain
from tracker.models import DEALT_TO, MARK

OVER = ("cancelled", "done", "failed")
NAMES = ["id", "kind", "state", "total", "done", "dealt", "workers", "seed_sha256", "seed",
         "started_at", "finished_at", "error"]  # fmt: skip
LIFE_S = 600
TOLERANCE = 0.01

RUN = """
    SELECT run.*, worker_count AS workers FROM run LEFT JOIN roster ON roster.id = roster_id
"""
# The current roster is them; there is none while people have changed since the last deal.
WORKERS = f"""
    WITH current AS (
        SELECT worker_count::bigint AS workers, mark FROM roster
        WHERE is_current AND mark IS NOT NULL
    )
    TABLE current UNION ALL
    SELECT count(*) AS workers, {MARK} AS mark FROM person
    WHERE {DEALT_TO} AND NOT EXISTS (TABLE current) HAVING NOT EXISTS (TABLE current)
"""
OPEN = """
    SELECT coalesce(sum(open), 0)::bigint AS open,
           coalesce(sum(fees_cents), 0)::bigint AS fees_cents,
           coalesce(sum(open - priced), 0)::bigint AS unpriced
    FROM tally
"""
CHECK = """
    SELECT assignee_id, count(*) AS tasks,
           count(*) FILTER (WHERE assignee_id =
               (SELECT worker_ids || '{}' FROM roster JOIN run ON roster.id = roster_id
                WHERE run.id = %s)[1 + draw('deal', seed, task_id, worker_count)]) AS agree
    FROM standing JOIN run ON run.id = standing.run_id JOIN roster ON roster.id = roster_id
    WHERE standing.run_id = %s GROUP BY assignee_id ORDER BY tasks DESC, assignee_id
"""


def page(db: Server, kind: str, after: UUID | None, limit: int) -> list[Row]:
    """Up to `limit` runs of the kind, the newest first."""
    sql = f"{RUN} WHERE kind = %s AND (%s::uuid IS NULL OR run.id < %s) ORDER BY run.id DESC"
    return [facts(row) for row in db.rows(sql + " LIMIT %s", kind, after, after, limit)]


def every(db: Server, kind: str) -> Iterator[Row]:
    """All runs of the kind, the newest first."""
    return map(facts, db.stream(f"{RUN} WHERE kind = %s ORDER BY run.id DESC", kind))


def one(db: Server, run_id: UUID) -> Row:
    """The run as stored, with `workers`.  Raises NotFound."""
    row = db.row(f"{RUN} WHERE run.id = %s", run_id)
    if row is None:
        raise NotFound("There is no such reassignment.")
    return row


def facts(run: Row) -> Row:
    """RUN of the contract: the seed's hash at once, the seed when the run is over."""
    seed = bytes(run["seed"])
    return {
        **{name: run[name] for name in NAMES[:7]},
        "seed_sha256": hashlib.sha256(seed).hexdigest(),
        "seed": seed.hex() if run["state"] in OVER else None,
        "started_at": run["started_at"],
        "finished_at": run["finished_at"],
        "error": run["error"],
    }


def pace(run: Row) -> Row:
    """Tasks a second since the start, and how many seconds are left at that pace; None unless it
    is running and has begun to deal.
    """
    if run["state"] != "running" or not run["done"]:
        return {"rate": None, "left_s": None}
    rate = run["done"] / max(0.1, (clock.now() - run["started_at"]).total_seconds())
    return {"rate": round(rate), "left_s": round((run["total"] - run["done"]) / rate)}


def check(db: Server, run_id: UUID) -> Row:
    """Every deal of the run that is still a task's last, drawn again from seed and roster."""
    per_worker = db.rows(CHECK, run_id, run_id)
    return {
        "checked": sum(row["tasks"] for row in per_worker),
        "agree": sum(row["agree"] for row in per_worker),
        "per_worker": per_worker,
    }


class Drawn(NamedTuple):
    """What the deals of a run are, drawn again by the rule in Python."""

    checked: int
    different: int
    workers: int
    fewest: int
    most: int


def drawn_again(db: Server, run_id: UUID) -> Drawn:
    """Every deal of the run that is still its task's last.  Raises NotFound."""
    run = one(db, run_id)
    workers = db.value("SELECT worker_ids FROM roster WHERE id = %s", run["roster_id"]) or []
    seed, different, shares = bytes(run["seed"]), 0, Counter(dict.fromkeys(workers, 0))
    sql = "SELECT task_id, assignee_id FROM standing WHERE run_id = %s"
    for row in db.stream(sql, run_id):
        different += domain.deal(row["task_id"], workers, seed) != row["assignee_id"]
        shares[row["assignee_id"]] += 1
    counts = shares.values() or [0]
    return Drawn(sum(counts), different, len(workers), min(counts), max(counts))


class Previews:
    """What a reassignment would do, and a token that says what was shown."""

    def __init__(self, secret_keys: tuple[str, ...]) -> None:
        self.serializer = URLSafeTimedSerializer(list(reversed(secret_keys)), salt="preview")

    def look(self, db: Server) -> Row:
        """`{"open", "workers", "fees_cents", "unpriced", "expected"}`."""
        found = db.row(f"SELECT * FROM ({OPEN}) AS work, ({WORKERS}) AS people")
        assert found
        expected = self.serializer.dumps([found.pop("mark"), found["open"]])
        return {**found, "expected": expected}

    def check(self, db: Server, expected: str) -> None:
        """Raises Conflict unless the preview is young and the facts are still like it."""
        try:
            mark, open_count = self.serializer.loads(expected, max_age=LIFE_S)
        except (BadData, ValueError, TypeError):
            raise Conflict("The preview is too old or was not ours; here is a new one.") from None
        workers = db.row(WORKERS)
        assert workers
        if workers["mark"] != mark:
            raise Conflict("The people who are dealt to have changed; here is a new preview.")
        count = db.value(OPEN)
        if abs(count - open_count) > open_count * TOLERANCE:
            raise Conflict(
                "There are %(now)s open tasks now, not %(before)s.", now=count, before=open_count
            )
