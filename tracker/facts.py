"""`tasks.dealt`, put together where the deals are made: in the database, by the million."""

from common.events import TasksDealt
from common.outbox import telling

PAIRS_MAX = 1000

# To stand behind a CTE `dealt` (task_id, assignee_id, run_id); takes `dealt_at` and `trace`.
DEALT_FACTS = f"""
    numbered AS (
        SELECT *, (row_number() OVER (ORDER BY task_id) - 1) / {PAIRS_MAX} AS part FROM dealt
    ), batches AS (
        SELECT part, run_id AS subject, json_build_object(
            'run_id', run_id, 'dealt_at', %(dealt_at)s::text,
            'deals', json_agg(json_build_array(task_id, assignee_id) ORDER BY task_id)) AS data
        FROM numbered GROUP BY part, run_id
    ), facts AS (
        SELECT new_id() AS id, subject, data FROM (SELECT * FROM batches ORDER BY part) AS batch
    ), told AS ({telling(TasksDealt, "tracker", "facts")})"""
