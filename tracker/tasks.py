"""Tasks as pages and JSON show them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    FROM {standing} JOIN task ON task.id = standing.task_id
        LEFT JOIN price ON price.task_id = standing.task_id
"""
EACH = TASK.format(standing="standing")
FOUND = " AND search_text LIKE %s"


@dataclass(frozen=True)
class Filter:
    """Which tasks: of a status or `all`, of one assignee or anybody, with all of these words; and
    in what order.
    """

    status: str = "open"
    assignee_id: UUID | None = None
    words: tuple[str, ...] = ()
    order: str = "newest"

    def standing(self) -> tuple[str, list[Any]]:
        """What holds of how they stand, and its parameters."""
        where, params = "true", list[Any]()
        if self.status != "all":
            where += " AND status = %s"
            params.append(self.status)
        if self.assignee_id:
            where += " AND assignee_id = %s"
            params.append(self.assignee_id)
        return where, params

    def texts(self) -> tuple[str, list[Any]]:
        """What holds of their texts besides, and its parameters."""
        words = [domain.sought(domain.folded(word)) for word in self.words]
        return FOUND * len(words), [f"%{escaped(word)}%" for word in words]


def escaped(word: str) -> str:
    r"""The word for LIKE, in which %, _ and \ stand for themselves."""
    return word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


class Order(NamedTuple):
    """How a list goes on, the key of its rows, and where the tasks of a page are, given the first
    that stands as wanted.
    """

    by: str
    behind: str
    key: dict[str, type]
    within: str = ""


# A task without a price has no place among those that have one; it has one within seconds.
ORDERS = {
    "newest": Order("standing.task_id DESC", "standing.task_id < %s", {"id": UUID}, "task.id <="),
    "oldest": Order("standing.task_id", "standing.task_id > %s", {"id": UUID}, "task.id >="),
    "reward": Order(
        "reward_cents DESC, price.task_id DESC",
        "(reward_cents, price.task_id) < (%s, %s)",
        {"reward_cents": int, "id": UUID},
    ),
}


def page(db: Server, wanted: Filter, after: Sequence[Any] | None, limit: int) -> list[Row]:
    """Up to `limit` tasks in their order, those behind the key `after`."""
    few, params = first(wanted, after, limit)
    sql = f"{TASK.format(standing=f'({few}) AS standing')} ORDER BY {ORDERS[wanted.order].by}"
    return dressed(db, db.rows(sql, *params))


def count(db: Server, wanted: Filter, limit: int) -> int:
    """How many there are, counted up to `limit`."""
    few, params = first(replace(wanted, order="newest"), None, limit)
    return db.value(f"SELECT count(*) FROM ({few}) AS counted", *params)


def first(wanted: Filter, after: Sequence[Any] | None, limit: int) -> tuple[str, list[Any]]:
    """How the first `limit` behind `after` stand, in order and through an index: just after a run
    the tables begin with old versions.  Texts and prices are read only where they decide.
    """
    order, (where, params) = ORDERS[wanted.order], wanted.standing()
    source = "standing"
    if wanted.order == "reward":
        source += " JOIN price ON price.task_id = standing.task_id"
    if after:
        where += f" AND {order.behind}"
        params += after
    if wanted.words:
        source += " JOIN task ON task.id = standing.task_id"
        texts, words = wanted.texts()
        if order.within:
            # Else the planner merges the two in order, and passes every text before the first task.
            begin = f"SELECT task_id FROM standing WHERE {where} ORDER BY {order.by} LIMIT 1"
            texts += f" AND {order.within} ({begin})"
            words += params
        where, params = where + texts, params + words
    sql = f"SELECT standing.* FROM {source} WHERE {where} ORDER BY {order.by} LIMIT %s"
    return sql, [*params, limit]


def every(db: Server, wanted: Filter) -> Iterator[Row]:
    """All of them, the newest first, streamed; people by name."""
    where, params = wanted.standing()
    texts, words = wanted.texts()
    sql = f"{EACH} WHERE {where}{texts} ORDER BY standing.task_id DESC"
    names = {row["id"]: row["name"] for row in db.rows("SELECT id, name FROM person")}
    for row in db.stream(sql, *params, *words):
        row["assignee"] = people.reference(row["assignee_id"], names)["name"]
        row["added_by"] = people.reference(row["added_by"], names)["name"]
        yield row


def one(db: Server, task_id: UUID) -> Row:
    """The task with its history.  Raises NotFound."""
    row = db.row(f"{EACH} WHERE standing.task_id = %s", task_id)
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
# deal, in which the task stands or ended, was the last of them.  Each roster is read once and never
# copied, for it is as long as the company is large: `OFFSET 0` keeps the planner from hashing it.
DEALS = """
    WITH reached AS (
        SELECT * FROM run WHERE id = %s
        UNION ALL
        SELECT * FROM run WHERE upper_id >= %s AND cursor >= %s
            AND position <= (SELECT position FROM run WHERE id = %s)
    )
    SELECT drawn.* FROM (
        SELECT id AS roster_id, worker_ids || '{}' AS worker_ids
        FROM roster WHERE id IN (SELECT roster_id FROM reached) OFFSET 0
    ) AS known CROSS JOIN LATERAL (
        SELECT id, kind, requested_by, leaver_id, started_at, position,
               worker_ids[1 + draw('deal', seed, %s, cardinality(worker_ids))] AS assignee_id
        FROM reached WHERE reached.roster_id = known.roster_id OFFSET 0
    ) AS drawn ORDER BY position NULLS FIRST
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
