"""Migrations: the backbone every owning service shares, then the service's own, in order."""

from pathlib import Path

from playhouse.migrations import Runner

from common.db import Server, deadline
from common.errors import Misconfigured

BACKBONE = Path(__file__).parent / "migrations"

# The reporting role may read these views and nothing else; it may not exist, as in a small test.
GRANT_REPORTS = """
DO $$ DECLARE report record; BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'analytics') THEN
        GRANT USAGE ON SCHEMA public TO analytics;
        FOR report IN SELECT viewname FROM pg_views
                      WHERE schemaname = 'public' AND viewname LIKE 'report\\_%%' LOOP
            EXECUTE format('GRANT SELECT ON %%I TO analytics', report.viewname);
        END LOOP;
    END IF;
END $$
"""


# For those who come through PgBouncer, which takes no such settings from a client.
OWN_SETTINGS = """
    ALTER ROLE CURRENT_USER SET timezone = 'UTC';
    ALTER ROLE CURRENT_USER SET lock_timeout = '4s';
"""


def runners(server: Server, directory: Path) -> tuple[Runner, Runner]:
    return Runner(server, str(BACKBONE), table_name="backbone_migration"), Runner(
        server, str(directory)
    )


def compared(server: Server, directory: Path) -> tuple[list[str], list[str]]:
    """The migrations which the database has and this release does not know, and those it lacks."""
    rows = [row for runner in runners(server, directory) for row in runner.status()]
    newer = [row.name for row in rows if row.path is None]
    return newer, [row.name for row in rows if not row.applied]


def migrate(primary: Server, directory: Path) -> list[str]:
    """Everything pending has been applied, one migrator at a time; returns the names."""
    with deadline(600):
        # A session lock: the runner commits every migration by itself.
        primary.execute_sql("SELECT pg_advisory_lock(hashtext('migrate'))")
        try:
            if newer := compared(primary, directory)[0]:
                raise Misconfigured(
                    f"The database is of a newer release ({newer[-1]}); install that one."
                )
            backbone, own = runners(primary, directory)
            applied = [*backbone.up(), *own.up()]
            primary.execute_sql(GRANT_REPORTS)
            primary.execute_sql(OWN_SETTINGS)
        finally:
            primary.execute_sql("SELECT pg_advisory_unlock(hashtext('migrate'))")
    return applied
