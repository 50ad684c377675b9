"""Who is in a roster, as one number: a preview need not look at everybody."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE roster ADD COLUMN mark text")
