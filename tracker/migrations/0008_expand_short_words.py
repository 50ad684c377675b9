"""What this made is gone again: see the next."""


def up(migrator, db):
    pass
