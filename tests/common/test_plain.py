"""Rules that need no server."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import clock
from common.config import Config
from common.errors import Misconfigured
from common.money import format_cents
from common.stream import id_key


@pytest.mark.parametrize(
    ("env", "read", "name"),
    [
        ({}, lambda c: c.bus_url, "BUS_URL"),
        ({"BUS_URL": "http://x"}, lambda c: c.bus_url, "BUS_URL"),
        ({"EXCHANGE_TIMEZONE": "Mars/Olympus"}, lambda c: c.timezone, "EXCHANGE_TIMEZONE"),
        ({"EXCHANGE_FEE_RANGE": "20-10"}, lambda c: c.fee_range, "EXCHANGE_FEE_RANGE"),
        ({"EXCHANGE_FEE_RANGE": "-5"}, lambda c: c.fee_range, "EXCHANGE_FEE_RANGE"),
        ({"WEB_THREADS": "many"}, lambda c: c.integer("WEB_THREADS", 8), "WEB_THREADS"),
        ({}, lambda c: c.secret_keys, "EXCHANGE_SECRET_KEY"),
        ({}, lambda c: c.database_url("tracker"), "TRACKER_DATABASE_URL"),
    ],
)
def test_a_wrong_environment_is_named_in_one_sentence(env, read, name) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Misconfigured) as refusal:
        read(Config(env))

    assert str(refusal.value).startswith(name)


def test_both_keys_verify_and_the_newest_comes_first() -> None:
    env = {"EXCHANGE_SECRET_KEY": "new", "EXCHANGE_SECRET_KEY_PREVIOUS": "old"}

    assert Config(env).secret_keys == ("new", "old")


def test_money_is_spelled_with_a_true_minus() -> None:
    assert format_cents(-123456, "EUR") == "−1,234.56\u00a0EUR"
    assert format_cents(5) == "0.05"


@given(st.integers(-(10**15), 10**15))
def test_money_loses_no_cent(cents: int) -> None:
    spelled = format_cents(cents).replace(",", "").replace("−", "-")

    assert round(float(spelled.replace(".", ""))) == cents


def test_a_day_ends_at_midnight_of_its_zone() -> None:
    moment = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)

    assert str(clock.day_of(moment, ZoneInfo("Europe/Berlin"))) == "2026-10-25"
    assert str(clock.day_of(moment, ZoneInfo("UTC"))) == "2026-10-24"


def test_stream_ids_order_as_numbers() -> None:
    assert id_key("9-2") < id_key("10-1") < id_key("10-10")
