"""Which click a run follows from, so that its job's facts can say so."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE run ADD COLUMN trace text")
