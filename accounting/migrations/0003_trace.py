"""Which click a payout run follows from, so that its job's facts can say so."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE payout_run ADD COLUMN trace text")
