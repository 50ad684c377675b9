"""The mailer's rules."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailer import domain


@given(attempts=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_waiting_grows_from_a_second_to_an_hour(attempts, chance):
    waited = domain.backoff(attempts, chance)

    assert timedelta(seconds=1) <= waited <= timedelta(hours=1)
    assert waited <= domain.backoff(attempts + 1, chance)


@given(st.text())
def test_one_line_is_one_line(text):
    assert len(domain.one_line(text).splitlines()) <= 1


@given(st.text(alphabet="ab@.,<>\r\n \x00"))
def test_an_address_never_holds_two_or_a_line_break(text):
    if domain.is_address(text):
        assert text.count("@") == 1
        assert not set(text) & set("\r\n ,<>\x00")


def test_a_letter_is_given_up_after_two_days():
    start = datetime(2026, 11, 20, tzinfo=UTC)

    assert not domain.is_over(start, start + timedelta(hours=47))
    assert domain.is_over(start, start + timedelta(hours=48))
