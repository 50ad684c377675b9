"""What the tracker says of deals and prices, for whoever compares the ledger with it."""

FACTS = """
CREATE VIEW report_deals AS SELECT task_id, run_id, assignee_id, status FROM standing;
CREATE VIEW report_run_sizes AS SELECT id, dealt FROM run;
CREATE VIEW report_prices AS SELECT task_id, fee_cents, reward_cents FROM price;
"""


def up(migrator, db):
    db.execute_sql(FACTS)
