"""What the databases are asked; each but the first few answers a sentence a row that is wrong."""

# What the faults put into the streams says so.
OUR_POISON = "event = '' OR event LIKE '%%soak%%' OR event LIKE '%%\"source\":\"/soak\"%%'"

TASKS = """
    SELECT task.id, title, description, status, assignee_id, standing.run_id, ended_by
    FROM task LEFT JOIN standing ON task_id = task.id
"""
TRANSFERS = """
    SELECT kind, task_id, run_id, worker_id, count(*) AS times FROM transfer
    WHERE task_id IS NOT NULL GROUP BY 1, 2, 3, 4
"""
RUNS = """
    SELECT run.id, kind, state, seed, total, done, dealt, coalesce(worker_ids, '{}') AS worker_ids
    FROM run LEFT JOIN roster ON roster.id = roster_id
"""
PAYOUTS = """
    SELECT transfer.id, amount_cents::text AS cents, letter.state
    FROM transfer LEFT JOIN letter ON payout_id = transfer.id WHERE kind = 'payout'
"""
LETTERS = """
    SELECT id, cause_id, payload->>'amount_cents' AS cents FROM letter WHERE kind = 'payout'
"""
PEOPLE = "SELECT id, name, role, is_active, version FROM person ORDER BY id"
LEFT_BEHIND = """
    SELECT format('task %%s is held by %%s, who is dealt to no longer', task_id, name)
    FROM deal JOIN person ON person.id = assignee_id
    WHERE NOT (is_active AND role IN ('worker', 'accountant'))
"""
TALLY = """
    SELECT format('tally %%s, counted %%s', kept, counted) FROM (
        SELECT (sum(open), sum(priced), sum(fees_cents))::text AS kept FROM tally
    ) AS tally, (
        SELECT (count(*), count(fee_cents), coalesce(sum(fee_cents), 0))::text AS counted
        FROM deal LEFT JOIN price USING (task_id)
    ) AS deals WHERE kept <> counted
"""
NOT_EMPTIED = """
    SELECT format('worker %%s has %%s after %%s was paid out', worker_id, cents, day) FROM (
        SELECT day.day, worker_id, sum(signed_cents) AS cents
        FROM business_day AS day JOIN report_transfers AS moved ON moved.day <= day.day
        WHERE day.state = 'closed' GROUP BY day.day, worker_id
    ) AS balance WHERE cents > 0
"""
PAID_TOO_MUCH = """
    SELECT format('worker %%s was overpaid on %%s', worker_id, paid.day)
    FROM transfer AS paid WHERE kind = 'payout' AND (
        SELECT sum(signed_cents) FROM report_transfers AS moved
        WHERE moved.worker_id = paid.worker_id AND moved.day <= paid.day) <> 0
"""
DAYS_MISSED = """
    SELECT format('%%s does not follow %%s', day, before)
    FROM (SELECT day, lag(day) OVER (ORDER BY day) AS before FROM business_day) AS days
    WHERE day <> before + 1
"""
UNSETTLED = {
    "tracker": "SELECT format('run %%s is %%s', id, state) FROM run"
    " WHERE state IN ('requested', 'running', 'paused')",
    "accounting": "SELECT format('payout run of %%s is %%s', day, state) FROM payout_run"
    " WHERE state <> 'done'",
    "mailer": "SELECT format('letter %%s is %%s', id, state) FROM letter"
    " WHERE state NOT IN ('sent', 'failed')",
}
LEFT_OPEN = """
    SELECT count(*) FROM pg_stat_activity
    WHERE state LIKE 'idle in transaction%' AND state_change < now() - interval '20 seconds'
"""
