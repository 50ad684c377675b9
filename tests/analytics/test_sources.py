"""Whom analytics reads, and that it can write nowhere."""

import pytest
from peewee import InternalError, PeeweeException, ProgrammingError

from analytics.sources import OWNERS, apart, sources
from common.db import sqlstate

WRITES = {
    "accounting": [
        "INSERT INTO transfer DEFAULT VALUES",
        "UPDATE total SET fees_cents = 0",
        "DELETE FROM report_totals",
        "TRUNCATE account",
    ],
    "tracker": [
        "UPDATE task SET title = 'x'",
        "DELETE FROM report_tasks",
        "DROP VIEW report_tasks",
    ],
    "gateway": ["UPDATE person SET role = 'admin'", "DELETE FROM report_users"],
    "mailer": ["DELETE FROM letter", "UPDATE report_letters SET state = 'sent'"],
}
VIEWS = {
    "accounting": {
        "report_transfers": "id worker_id kind amount_cents signed_cents day occurred_at posted_at"
        " task_id run_id reverses_id",
        "report_totals": "worker_id day fees_cents rewards_cents payouts_cents carried_cents",
        "report_balances": "worker_id balance_cents",
        "report_days": "day state fees_cents rewards_cents workers_in_minus",
        "report_rewards": "day amount_cents posted_at task_id",
    },
    "tracker": {"report_tasks": "id title jira_id"},
    "gateway": {"report_users": "id name email role is_active"},
    "mailer": {"report_letters": "id cause_id state"},
}
DENIED = "42501"


@pytest.mark.promise(21)
@pytest.mark.parametrize("name", OWNERS)
def test_the_role_may_write_nowhere_on_the_primary(clean, name):
    db = sources[name].primary

    for statement in [
        *WRITES[name],
        "CREATE TABLE mine (id int)",
        "DELETE FROM report_dead_letters",
    ]:
        with pytest.raises((ProgrammingError, InternalError)) as refused:
            db.execute_sql(statement)
        assert sqlstate(refused.value) == DENIED, statement


@pytest.mark.parametrize("name", OWNERS)
def test_the_role_may_read_the_views_and_no_table(clean, name):
    db = sources[name].primary

    for view, columns in (
        VIEWS[name] | {"report_dead_letters": "id stream entry_id event error"}
    ).items():
        db.rows(f"SELECT {', '.join(columns.split())} FROM {view} LIMIT 0")
    with pytest.raises(PeeweeException) as refused:
        db.rows("SELECT * FROM outbox")
    assert sqlstate(refused.value) == DENIED


def test_the_standby_is_read_first_and_the_primary_is_another_server(clean):
    for store in sources.values():
        assert store.replica.value("SELECT pg_is_in_recovery()")
        assert not store.primary.value("SELECT pg_is_in_recovery()")


def test_without_the_standby_the_primary_is_read(cast, client, monkeypatch):
    for store in sources.values():
        monkeypatch.setattr(store, "replica", type(store.replica)(None))
        store.replica.open("postgresql://analytics@127.0.0.1:1/nowhere")

    answer = client("analytics", cast.bob).get("/earnings")

    assert (answer.status_code, answer.json["lag_s"]) == (200, 0.0)


def test_without_both_the_page_says_so(cast, client, monkeypatch):
    for side in ("primary", "replica"):
        gone = type(sources["accounting"].primary)(None)
        gone.open("postgresql://analytics@127.0.0.1:1/nowhere")
        monkeypatch.setattr(sources["accounting"], side, gone)

    answer = client("analytics", cast.bob).get("/earnings")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "accounting database does not answer" in answer.json["error"]


@pytest.mark.parametrize(
    ("url", "standby", "primary"),
    [
        ("postgresql://u:p@a:1,b:2/db", "postgresql://u:p@a:1/db", "postgresql://u:p@b:2/db"),
        ("postgresql://a/db", "postgresql://a/db", "postgresql://a/db"),
        (
            "postgresql://u:x%40y@a,b,c/db?sslmode=require",
            "postgresql://u:x%40y@a/db?sslmode=require",
            "postgresql://u:x%40y@b,c/db?sslmode=require",
        ),
    ],
)
def test_hosts_are_taken_apart(url, standby, primary):
    assert apart(url) == (standby, primary)


def test_readyz_names_every_source(cast, client):
    answer = client("analytics", cast.fay).get("/readyz")

    assert answer.status_code == 200
    assert {f"{name}-replica" for name in OWNERS} < set(answer.json["dependencies"])
