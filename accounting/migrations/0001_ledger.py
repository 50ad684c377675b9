"""The ledger: money is a row that is only ever added, and the rules stand in the database."""

from common import people

# carried_cents: the balance at the end of the last closed day in which the account had anything.
ACCOUNTS = """
CREATE TABLE account (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    carried_cents bigint NOT NULL DEFAULT 0
);
CREATE INDEX account_in_minus ON account (id) WHERE carried_cents < 0;

INSERT INTO account (id, name) VALUES
    ('00000000-0000-0000-0000-000000000001', 'company:income'),
    ('00000000-0000-0000-0000-000000000002', 'company:expense'),
    ('00000000-0000-0000-0000-000000000003', 'company:cash');
"""

DAYS = """
CREATE TABLE business_day (
    day date PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('open', 'closing', 'closed')),
    opened_at timestamptz NOT NULL,
    closed_at timestamptz CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    fees_cents bigint CHECK ((state = 'open') = (fees_cents IS NULL)),
    rewards_cents bigint CHECK ((state = 'open') = (rewards_cents IS NULL)),
    workers_in_minus bigint CHECK ((state = 'open') = (workers_in_minus IS NULL))
);
CREATE UNIQUE INDEX business_day_one_open ON business_day (state) WHERE state = 'open';
"""

# A million rows come in minutes: what they refer to is checked where a worker's total is kept, and
# no trigger runs for each row.
TRANSFERS = """
CREATE TABLE transfer (
    id uuid PRIMARY KEY DEFAULT new_id(),
    kind text NOT NULL,
    debit_id uuid NOT NULL,
    credit_id uuid NOT NULL CHECK (credit_id <> debit_id),
    worker_id uuid NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    day date NOT NULL,
    occurred_at timestamptz NOT NULL,
    posted_at timestamptz NOT NULL,
    task_id uuid,
    run_id uuid,
    reverses_id uuid,
    reason text,
    CONSTRAINT transfer_sides CHECK (CASE kind
        WHEN 'deal_fee' THEN debit_id = worker_id
            AND credit_id = '00000000-0000-0000-0000-000000000001'
            AND run_id IS NOT NULL AND task_id IS NOT NULL
        WHEN 'completion_reward' THEN debit_id = '00000000-0000-0000-0000-000000000002'
            AND credit_id = worker_id AND task_id IS NOT NULL
        WHEN 'payout' THEN debit_id = worker_id
            AND credit_id = '00000000-0000-0000-0000-000000000003'
        WHEN 'reversal' THEN worker_id IN (debit_id, credit_id)
        ELSE false END),
    CONSTRAINT transfer_reversal CHECK ((kind = 'reversal') = (reverses_id IS NOT NULL))
);
CREATE UNIQUE INDEX transfer_deal_fee ON transfer (run_id, task_id) WHERE kind = 'deal_fee';
CREATE UNIQUE INDEX transfer_completion_reward ON transfer (task_id)
    WHERE kind = 'completion_reward';
CREATE UNIQUE INDEX transfer_payout ON transfer (day, worker_id) WHERE kind = 'payout';
CREATE UNIQUE INDEX transfer_reverses ON transfer (reverses_id) WHERE kind = 'reversal';
CREATE INDEX transfer_worker ON transfer (worker_id, id);
CREATE INDEX transfer_dearest ON transfer (day, amount_cents DESC, posted_at, task_id)
    WHERE kind = 'completion_reward';
"""

GUARDS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transfers are only ever added; post a reversal instead'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER transfer_stays BEFORE UPDATE OR DELETE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE ON transfer FROM PUBLIC, CURRENT_USER;

CREATE FUNCTION refuse_wrong_day() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong record;
BEGIN
    SELECT given.day, state INTO wrong
    FROM (SELECT DISTINCT day, kind = 'payout' AS is_payout FROM added) AS given
    LEFT JOIN business_day USING (day)
    WHERE state IS DISTINCT FROM CASE WHEN is_payout THEN 'closing' ELSE 'open' END LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the books of %% take no such transfer: %%',
            wrong.day, coalesce(wrong.state, 'never opened') USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER transfer_day AFTER INSERT ON transfer REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_wrong_day();
"""

# Net of reversals.  carried_cents: the balance at the day's end, once payouts were made.
TOTALS = """
CREATE TABLE total (
    worker_id uuid NOT NULL REFERENCES account,
    day date NOT NULL REFERENCES business_day,
    fees_cents bigint NOT NULL DEFAULT 0,
    rewards_cents bigint NOT NULL DEFAULT 0,
    payouts_cents bigint NOT NULL DEFAULT 0,
    carried_cents bigint,
    PRIMARY KEY (worker_id, day)
) WITH (fillfactor = 70);
CREATE INDEX total_not_carried ON total (worker_id, day) WHERE carried_cents IS NULL;
"""

PRICES = """
CREATE TABLE pricing (
    id uuid PRIMARY KEY DEFAULT new_id(),
    seed bytea NOT NULL CHECK (length(seed) = 32),
    priced_at timestamptz NOT NULL
);
CREATE TABLE price (
    task_id uuid PRIMARY KEY,
    fee_cents bigint NOT NULL CHECK (fee_cents > 0),
    reward_cents bigint NOT NULL CHECK (reward_cents > 0),
    pricing_id uuid NOT NULL
);
CREATE TABLE withdrawal (
    task_id uuid PRIMARY KEY,
    run_id uuid NOT NULL,
    withdrawn_at timestamptz NOT NULL
);
"""

# worker_id: the last one passed; the next batch goes on behind.
PAYOUTS = """
CREATE TABLE payout_run (
    id uuid PRIMARY KEY DEFAULT new_id(),
    day date NOT NULL UNIQUE REFERENCES business_day,
    state text NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'running', 'done', 'failed')),
    total bigint NOT NULL,
    done bigint NOT NULL DEFAULT 0 CHECK (done <= total),
    paid_cents bigint NOT NULL DEFAULT 0,
    worker_id uuid,
    requested_by uuid,
    requested_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    error text,
    CHECK (state <> 'done' OR done = total)
);
CREATE TABLE letter (
    payout_id uuid PRIMARY KEY,
    state text NOT NULL,
    settled_at timestamptz NOT NULL
);
"""

REPORTS = """
CREATE VIEW report_transfers AS
    SELECT id, worker_id, kind, amount_cents,
           CASE WHEN credit_id = worker_id THEN amount_cents ELSE -amount_cents END AS signed_cents,
           day, occurred_at, posted_at, task_id, run_id, reverses_id
    FROM transfer;

CREATE VIEW report_totals AS
    SELECT worker_id, day, fees_cents, rewards_cents, payouts_cents, carried_cents FROM total;

CREATE VIEW report_balances AS
    SELECT account.id AS worker_id, account.carried_cents + coalesce(moved_cents, 0)::bigint
           AS balance_cents
    FROM account LEFT JOIN (
        SELECT worker_id, sum(rewards_cents - fees_cents - payouts_cents) AS moved_cents
        FROM total WHERE carried_cents IS NULL GROUP BY worker_id
    ) AS moved ON worker_id = account.id
    WHERE starts_with(name, 'worker:');

CREATE VIEW report_days AS
    SELECT day, business_day.state, fees_cents, rewards_cents, paid_cents, workers_in_minus
    FROM business_day JOIN payout_run USING (day) WHERE business_day.state <> 'open'
    UNION ALL
    SELECT day, state, coalesce(sum(moved.fees_cents), 0)::bigint,
           coalesce(sum(moved.rewards_cents), 0)::bigint, 0,
           (SELECT count(*) FROM report_balances WHERE balance_cents < 0)
    FROM business_day
    LEFT JOIN (SELECT * FROM total WHERE carried_cents IS NULL) AS moved USING (day)
    WHERE state = 'open' GROUP BY day, state;

CREATE VIEW report_rewards AS
    SELECT day, amount_cents, posted_at, task_id FROM transfer WHERE kind = 'completion_reward';
"""

# What the totals must be, from the transfers alone; `exchange ledger verify` compares.
RECOUNT = """
CREATE VIEW recount AS
    SELECT worker_id, day,
           coalesce(sum(-signed) FILTER (WHERE cause = 'deal_fee'), 0) AS fees_cents,
           coalesce(sum(signed) FILTER (WHERE cause = 'completion_reward'), 0) AS rewards_cents,
           coalesce(sum(-signed) FILTER (WHERE cause = 'payout'), 0) AS payouts_cents
    FROM (
        SELECT posted.worker_id, posted.day, coalesce(reversed.kind, posted.kind) AS cause,
               CASE WHEN posted.credit_id = posted.worker_id THEN posted.amount_cents
                    ELSE -posted.amount_cents END AS signed
        FROM transfer AS posted LEFT JOIN transfer AS reversed ON reversed.id = posted.reverses_id
    ) AS movement
    GROUP BY worker_id, day;
"""


def up(migrator, db):
    for statement in (
        people.TABLE,
        ACCOUNTS,
        DAYS,
        TRANSFERS,
        GUARDS,
        TOTALS,
        PRICES,
        PAYOUTS,
        REPORTS,
        RECOUNT,
    ):
        db.execute_sql(statement)
