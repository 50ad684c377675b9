"""For reports: tasks by their key, and which runs dealt a task, to whom and by what seed."""

TASKS = """
CREATE OR REPLACE VIEW report_tasks AS SELECT id, title, jira_id, search_text FROM task
"""

# seed: only of runs that are over, as everywhere.
RUNS = """
CREATE VIEW report_runs AS
    SELECT run.id, kind, state, encode(sha256(seed), 'hex') AS seed_sha256,
           CASE WHEN state IN ('cancelled', 'done', 'failed') THEN seed END AS seed,
           requested_at, started_at, worker_count, worker_ids
    FROM run LEFT JOIN roster ON roster.id = roster_id
"""

# Every run that dealt the task is here; a departure of somebody else may be too.
TASK_RUNS = """
CREATE VIEW report_task_runs AS
    SELECT id AS task_id, run_id FROM task
    UNION ALL
    SELECT task.id, run.id FROM task JOIN run ON upper_id >= task.id AND cursor >= task.id
"""


def up(migrator, db):
    for statement in (TASKS, RUNS, TASK_RUNS):
        db.execute_sql(statement)
