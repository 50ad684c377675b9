"""Tasks, who holds them, how they ended, what they cost, and the runs that dealt them."""

from common import people

RUNS = """
CREATE TABLE roster (
    id uuid PRIMARY KEY DEFAULT new_id(),
    worker_ids uuid[] NOT NULL,
    worker_count int NOT NULL GENERATED ALWAYS AS (cardinality(worker_ids)) STORED,
    is_current boolean NOT NULL DEFAULT true,
    made_at timestamptz NOT NULL DEFAULT now(),
    CHECK (cardinality(worker_ids) > 0)
);
ALTER TABLE roster ALTER COLUMN worker_ids SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX roster_current ON roster (is_current) WHERE is_current;

CREATE TABLE run (
    id uuid PRIMARY KEY DEFAULT new_id(),
    kind text NOT NULL CHECK (kind IN ('addition', 'import', 'reassignment', 'departure')),
    state text NOT NULL CHECK (
        state IN ('requested', 'running', 'paused', 'cancelled', 'done', 'failed')),
    seed bytea NOT NULL CHECK (length(seed) = 32),
    roster_id uuid REFERENCES roster,
    requested_by uuid,
    requested_at timestamptz NOT NULL,
    leaver_id uuid,
    position bigint UNIQUE,
    upper_id uuid,
    cursor uuid,
    total int NOT NULL DEFAULT 0,
    done int NOT NULL DEFAULT 0,
    dealt int NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    error text,
    CHECK ((kind = 'departure') = (leaver_id IS NOT NULL)),
    CHECK ((state IN ('cancelled', 'done', 'failed')) = (finished_at IS NOT NULL)),
    CHECK (dealt <= done AND done <= total)
);
CREATE SEQUENCE run_position OWNED BY run.position;
CREATE UNIQUE INDEX run_one_at_a_time ON run ((true)) WHERE state = 'running';
CREATE UNIQUE INDEX run_one_reassignment ON run (kind)
    WHERE kind = 'reassignment' AND state IN ('requested', 'running', 'paused');
CREATE UNIQUE INDEX run_one_departure ON run (leaver_id)
    WHERE kind = 'departure' AND state IN ('requested', 'running');
CREATE INDEX run_unfinished ON run (id) WHERE state IN ('requested', 'running', 'paused');
CREATE INDEX run_listed ON run (kind, id) WHERE kind IN ('reassignment', 'departure');
CREATE INDEX run_replayed ON run (upper_id, position) WHERE position IS NOT NULL;
"""

# What a deal changes is narrow and only of open tasks, apart from the text with its search index;
# a task is either in `deal` or in `outcome`.
TASKS = """
CREATE TABLE task (
    id uuid PRIMARY KEY DEFAULT new_id(),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    jira_id text CHECK (jira_id ~ '^[A-Z][A-Z0-9]*-[0-9]+$'),
    description text NOT NULL CHECK (length(description) <= 10000),
    search_text text NOT NULL,
    added_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    run_id uuid NOT NULL REFERENCES run
);
COMMENT ON COLUMN task.search_text IS 'key and title as domain.folded() writes them';
CREATE INDEX task_search ON task USING gin (search_text gin_trgm_ops);

CREATE TABLE deal (
    task_id uuid PRIMARY KEY,
    assignee_id uuid NOT NULL,
    run_id uuid NOT NULL
);
CREATE INDEX deal_assignee ON deal (assignee_id, task_id);

CREATE TABLE outcome (
    task_id uuid PRIMARY KEY,
    status text NOT NULL CHECK (status IN ('done', 'withdrawn')),
    assignee_id uuid NOT NULL,
    run_id uuid NOT NULL,
    ended_by uuid NOT NULL,
    ended_at timestamptz NOT NULL
);
CREATE INDEX outcome_status ON outcome (status, task_id);
CREATE INDEX outcome_assignee ON outcome (assignee_id, status, task_id);
CREATE INDEX outcome_ended ON outcome (ended_at, task_id);

CREATE TABLE edit (
    task_id uuid NOT NULL REFERENCES task,
    edited_at timestamptz NOT NULL,
    edited_by uuid NOT NULL
);
CREATE INDEX edit_task ON edit (task_id);

CREATE TABLE price (
    task_id uuid PRIMARY KEY,
    fee_cents int NOT NULL CHECK (fee_cents > 0),
    reward_cents int NOT NULL CHECK (reward_cents > 0)
);
"""

VIEWS = """
CREATE VIEW standing AS
    SELECT task_id, 'open' AS status, assignee_id, run_id,
           NULL::uuid AS ended_by, NULL::timestamptz AS ended_at FROM deal
    UNION ALL
    SELECT task_id, status, assignee_id, run_id, ended_by, ended_at FROM outcome;

CREATE VIEW report_tasks AS SELECT id, title, jira_id FROM task;
"""


def up(migrator, db):
    db.execute_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for statement in (people.TABLE, RUNS, TASKS, VIEWS):
        db.execute_sql(statement)
