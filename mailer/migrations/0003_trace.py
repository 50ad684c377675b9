"""Which click a letter follows from, so that who sends it can say so."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE letter ADD COLUMN trace text")
