"""Tasks as pages and JSON show them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from common import people
from common.db import Row, Server
from common.errors import NotFound
from tracker import domain

NAMES = [
    "id",
    "title",
    "jira_id",
    "description",
    "status",
    "assignee",
    "added_by",
    "fee_cents",
    "reward_cents",
    "created_at",
    "completed_at",
]

TASK = """
    SELECT task.id, title, jira_id, description, status, assignee_id, added_by, fee_cents,
           reward_cents, created_at, CASE WHEN status = 'done' THEN ended_at END AS completed_at,
           ended_by, ended_at, standing.run_id, task.run_id AS first_run_id
    FROM standing JOIN task ON task.id = standing.task_id
        LEFT JOIN price ON price.task_id = standing.task_id
"""


@dataclass(frozen=True)
class Filter:
    """Which tasks: of a status or `all`, of one assignee or anybody, with all of these words; and
    in what order.
    """

    status: str = "open"
    assignee_id: UUID | None = None
    words: tuple[str, ...] = ()
    order: str = "newest"

    def where(self) -> tuple[str, list[Any]]:
        """The condition and its parameters."""
        tests = ["true"]
        params: list[Any] = []
        if self.status != "all":
            tests.append("status = %s")
            params.append(self.status)
        if self.assignee_id:
            tests.append("assignee_id = %s")
            params.append(self.assignee_id)
        for word in self.words:
            tests.append("search_text LIKE %s")
            params.append(f"%{escaped(domain.folded(word))}%")
        return " AND ".join(tests), params


def escaped(word: str) -> str:
    r"""The word for LIKE, in which %, _ and \ stand for themselves."""
    return word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


class Order(NamedTuple):
    """How a list goes on, and the key of its rows."""

    by: str
    behind: str
    key: dict[str, type]


# A task without a price has no place among those that have one; it has one within seconds.
ORDERS = {
    "newest": Order("standing.task_id DESC", "standing.task_id < %s", {"id": UUID}),
    "oldest": Order("standing.task_id", "standing.task_id > %s", {"id": UUID}),
    "reward": Order(
        "reward_cents DESC, price.task_id DESC",
        "(reward_cents, price.task_id) < (%s, %s)",
        {"reward_cents": int, "id": UUID},
    ),
}


def page(db: Server, wanted: Filter, after: Sequence[Any] | None, limit: int) -> list[Row]:
    """Up to `limit` tasks in their order, those behind the key `after`."""
    where, params = wanted.where()
    order = ORDERS[wanted.order]
    if wanted.order == "reward":
        where += " AND reward_cents IS NOT NULL"
    if after:
        where += f" AND {order.behind}"
        params += after
    return dressed(
        db, db.rows(f"{TASK} WHERE {where} ORDER BY {order.by} LIMIT %s", *params, limit)
    )


def count(db: Server, wanted: Filter, limit: int) -> int:
    """How many there are, counted up to `limit`."""
    where, params = wanted.where()
    source = "standing" + (" JOIN task ON task.id = task_id" if wanted.words else "")
    # In order, and so through an index: just after a run the table begins with old versions.
    few = f"SELECT FROM {source} WHERE {where} ORDER BY standing.task_id DESC LIMIT %s"
    return db.value(f"SELECT count(*) FROM ({few}) AS counted", *params, limit)


def every(db: Server, wanted: Filter) -> Iterator[Row]:
    """All of them, the newest first, streamed; people by name."""
    where, params = wanted.where()
    names = {row["id"]: row["name"] for row in db.rows("SELECT id, name FROM person")}
    for row in db.stream(f"{TASK} WHERE {where} ORDER BY standing.task_id DESC", *params):
        row["assignee"] = people.reference(row["assignee_id"], names)["name"]
        row["added_by"] = people.reference(row["added_by"], names)["name"]
        yield row


def one(db: Server, task_id: UUID) -> Row:
    """The task with its history.  Raises NotFound."""
    row = db.row(f"{TASK} WHERE standing.task_id = %s", task_id)
    if row is None:
        raise NotFound("There is no such task.")
    return {**dressed(db, [row])[0], "history": history(db, row)}


def dressed(db: Server, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows as TASK of the contract, people with their names."""
    names = people.names(db, [row[key] for row in rows for key in ("assignee_id", "added_by")])
    return [
        {
            **{name: row.get(name) for name in NAMES},
            "assignee": people.reference(row["assignee_id"], names),
            "added_by": people.reference(row["added_by"], names),
        }
        for row in rows
    ]


# A run that started after the task was added reached it if its cursor did; the run of the last
# deal, in which the task stands or ended, was the last of them.  Each roster is read once: it is as
# long as the company is large.
DEALS = """
    WITH reached AS (
        SELECT * FROM run WHERE id = %s
        UNION ALL
        SELECT * FROM run WHERE upper_id >= %s AND cursor >= %s
            AND position <= (SELECT position FROM run WHERE id = %s)
    ), known AS MATERIALIZED (
        SELECT id AS roster_id, worker_ids || '{}' AS worker_ids
        FROM roster WHERE id IN (SELECT roster_id FROM reached)
    )
    SELECT id, kind, requested_by, leaver_id, started_at,
           worker_ids[1 + draw('deal', seed, %s, cardinality(worker_ids))] AS assignee_id
    FROM reached JOIN known USING (roster_id) ORDER BY position NULLS FIRST
"""
EDITS = "SELECT edited_at, edited_by FROM edit WHERE task_id = %s ORDER BY edited_at"


def history(db: Server, task: Row) -> list[Row]:
    """What happened to the task, the oldest first, with what it cost or paid the person who had the
    task then (None: nothing, or not priced yet).  Its deals are not stored: they are drawn again
    from the seeds and rosters of the runs that reached it.
    """
    edits = db.rows(EDITS, task["id"])
    found = [entry(row["edited_at"], "edited", row["edited_by"]) for row in edits]
    found = sorted(deals(db, task) + found, key=lambda each: each["at"])
    if task["ended_at"]:
        what = "completed" if task["status"] == "done" else "withdrawn"
        found.append(entry(task["ended_at"], what, task["ended_by"]))
    fee, reward = task["fee_cents"], task["reward_cents"]
    costs = {"completed": reward, "withdrawn": fee, "edited": None}
    for each in found:
        each["amount_cents"] = costs.get(each["what"], fee and -fee)
    ids = [each[key] for each in found for key in ("by", "assignee") if each[key]]
    names = people.names(db, ids)
    for each in found:
        for key in ("by", "assignee"):
            each[key] = each[key] and people.reference(each[key], names)
    return found


def deals(db: Server, task: Row) -> list[Row]:
    """The deals of the task in order, drawn again."""
    task_id, first_id = task["id"], task["first_run_id"]
    added, *later = db.rows(DEALS, first_id, task_id, task_id, task["run_id"], task_id)
    assignee_id = added["assignee_id"]
    made = [entry(task["created_at"], "added", task["added_by"], assignee_id, first_id)]
    for run in later:
        if run["kind"] == "departure" and run["leaver_id"] != assignee_id:
            continue
        assignee_id = run["assignee_id"]
        is_departure = run["kind"] == "departure"
        what = "departed" if is_departure else "reassigned"
        by = run["leaver_id"] if is_departure else run["requested_by"]
        # Runs are in the order they had, whatever the clocks of their hosts said.
        at = max(made[-1]["at"], run["started_at"])
        made.append(entry(at, what, by, assignee_id, run["id"]))
    return made


def entry(
    at: Any, what: str, by: UUID, assignee: UUID | None = None, run_id: UUID | None = None
) -> Row:
    return {"at": at, "what": what, "by": by, "assignee": assignee, "run_id": run_id}
