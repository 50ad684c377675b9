"""Reading and writing while servers are behind, hung or away."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from peewee import OperationalError

from common import chance
from common.config import Config
from common.db import Server, deadline, release
from common.errors import Away
from common.service import services
from common.store import Store

NOWHERE = "postgresql://nobody:x@127.0.0.1:1/nothing"


@pytest.fixture
def store(settings: Config, clean: None) -> Iterator[Store]:
    made = Store("tracker")
    made.open(settings.database_url("tracker"), settings.replica_url("tracker"))
    yield made
    made.close()


def test_the_replica_is_read_once_it_shows_what_was_written(store: Store) -> None:
    store.primary.run("INSERT INTO inbox (event_id) VALUES (new_id())")
    lsn = store.primary.value("SELECT pg_current_wal_lsn()")

    # On a busy machine the standby may take longer than anybody is let wait.
    end = time.monotonic() + 10
    while (found := store.reading(after=lsn)).db is store.primary and time.monotonic() < end:
        time.sleep(0.05)

    assert found.db is store.replica
    assert found.db.value("SELECT count(*) FROM inbox") == 1
    assert found.lag_s < 1


def test_without_a_replica_the_primary_is_read(store: Store) -> None:
    store.replica.open(NOWHERE)

    found = store.reading()

    assert found.db is store.primary


def test_without_a_primary_the_replica_is_read(store: Store) -> None:
    store.primary.open(NOWHERE)

    found = store.reading()

    assert found.db is store.replica


def test_without_both_it_says_so(store: Store) -> None:
    store.open(NOWHERE, NOWHERE)

    with pytest.raises(Away, match="tracker database"):
        store.reading()


def test_a_replica_behind_ones_own_write_makes_way_for_the_primary(store: Store) -> None:
    began = time.monotonic()

    found = store.reading(after="FFFF/0")

    assert found.db is store.primary
    assert 0.3 <= time.monotonic() - began < 1.5


@pytest.fixture
def hung_server() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql://nobody:x@127.0.0.1:{listener.getsockname()[1]}/nothing"


def test_a_hung_server_frees_its_callers_in_seconds(store: Store, hung_server: str) -> None:
    store.replica.open(hung_server)
    began = time.monotonic()

    found = store.reading()

    assert found.db is store.primary
    assert time.monotonic() - began < 5


def test_a_hung_host_does_not_hide_the_next_one(store: Store, hung_server: str) -> None:
    url = store.primary.database
    hung = hung_server.partition("@")[2].partition("/")[0]
    head, _, rest = url.partition("@")
    store.primary.open(f"{head}@{hung},{rest}")

    found = store.primary.value("SELECT 1")

    assert found == 1


def test_a_statement_past_its_deadline_raises(store: Store) -> None:
    with deadline(0.2), pytest.raises(OperationalError, match="deadline"):
        store.primary.execute_sql("SELECT pg_sleep(5)")
    store.close()

    assert store.primary.value("SELECT 1") == 1


@pytest.mark.parametrize("statement", ["SELECT 1 AS one", "DELETE FROM inbox WHERE false"])
def test_a_connection_lost_meanwhile_costs_no_single_statement(
    store: Store, statement: str
) -> None:
    lose_connection(store)

    assert store.primary.run(statement) in (0, 1)


def test_a_connection_lost_between_transactions_is_replaced(store: Store) -> None:
    lose_connection(store)

    with store.primary.atomic():
        found = store.primary.value("SELECT 1")

    assert found == 1


def lose_connection(store: Store) -> None:
    pid = store.primary.value("SELECT pg_backend_pid()")
    other = Server(None)
    other.open(store.primary.database)
    other.value("SELECT pg_terminate_backend(%s, 1000)", pid)
    other.close_quietly()


def test_ids_ascend_and_are_version_7(store: Store) -> None:
    ids = [store.primary.value("SELECT new_id()") for _ in range(200)]

    assert ids == sorted(ids)
    assert {each.version for each in ids} == {7}


def test_a_stream_of_rows_is_whole(store: Store) -> None:
    rows = list(store.primary.stream("SELECT n FROM generate_series(1, 4500) AS n", size=1000))

    assert [row["n"] for row in rows] == list(range(1, 4501))


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    label=st.sampled_from(["deal", "fee", "reward"]),
    seed=st.binary(min_size=32, max_size=32),
    task_id=st.uuids(),
    n=st.integers(1, 1_000_000),
)
def test_the_draw_is_the_same_rule_in_sql_and_in_python(
    store: Store, label: str, seed: bytes, task_id: object, n: int
) -> None:
    in_sql = store.primary.value("SELECT draw(%s, %s, %s, %s)", label, seed, task_id, n)

    assert in_sql == chance.draw(label, seed, task_id, n)  # type: ignore[arg-type]
    assert 0 <= in_sql < n


def test_every_database_is_brought_up_to_date_only_once(
    settings: Config, clean: None, replayed: Callable[[], None]
) -> None:
    again = [name for service in services() for name in service.migrate()]

    assert again == []


def in_a_thread(store: Store) -> object:
    """Which connection a thread of its own had, released at its end."""

    def work() -> object:
        found = store.primary.value("SELECT pg_backend_pid()")
        release()
        return found

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_what_one_thread_released_the_next_one_has(store: Store) -> None:
    assert in_a_thread(store) == in_a_thread(store)


def test_what_is_in_the_middle_of_a_transaction_nobody_else_gets(store: Store) -> None:
    store.primary.begin()
    begun = store.primary.value("SELECT pg_backend_pid()")

    release()

    assert in_a_thread(store) != begun


def test_once_one_was_lost_the_released_ones_are_not_trusted(store: Store) -> None:
    before = in_a_thread(store)
    lose_connection(store)

    assert store.primary.value("SELECT 1") == 1
    assert in_a_thread(store) != before


def test_a_connection_that_nobody_needed_for_a_minute_is_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_thread(store)
    store.primary.connect()
    monkeypatch.setattr("common.db.SPARE_S", -1)

    release()

    assert not store.primary.spare
