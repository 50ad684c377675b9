"""`tasks.dealt`, put together where the deals are made: in the database, by the million."""

from datetime import UTC, datetime

from common.events import TasksDealt
from common.outbox import ENVELOPE

PAIRS_MAX = 1000

# To stand behind a CTE `dealt` (task_id, assignee_id, run_id); takes `dealt_at` and `trace`.
DEALT_FACTS = f"""
    numbered AS (
        SELECT *, (row_number() OVER (ORDER BY task_id) - 1) / {PAIRS_MAX} AS part FROM dealt
    ), batches AS (
        SELECT part, run_id, json_build_object(
            'run_id', run_id, 'dealt_at', %(dealt_at)s::text,
            'deals', json_agg(json_build_array(task_id, assignee_id) ORDER BY task_id)) AS data
        FROM numbered GROUP BY part, run_id
    ), facts AS (
        SELECT new_id() AS id, run_id, data FROM (SELECT * FROM batches ORDER BY part) AS batch
    ), told AS (
        INSERT INTO outbox (id, type, envelope)
        SELECT id, '{TasksDealt.type}', {
    ENVELOPE.format(
        source="'tracker'",
        type=f"'{TasksDealt.type}'",
        subject="run_id",
        schema=f"'{TasksDealt.schema}'",
        trace="%(trace)s::text",
        data="data",
    )
}
        FROM facts
    )"""


def moment_text(moment: datetime) -> str:
    """ISO 8601 with Z, as events spell it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
