"""Tasks in the order of their rewards."""


def up(migrator, db):
    db.execute_sql("CREATE INDEX price_reward ON price (reward_cents, task_id)")
