"""The open day by itself: whoever asks for its date alone does not pay for its figures."""


def up(migrator, db):
    db.execute_sql(
        "CREATE VIEW report_open_day AS SELECT day FROM business_day WHERE state = 'open'"
    )
