"""What does not answer is left alone, and found out about by one at a time."""

import pytest

from gateway import breaker as module
from gateway.breaker import Breaker


@pytest.fixture
def moment(monkeypatch):
    """A clock that stands still: `moment[0] += 1` is a second later."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_after_so_many_failures_in_a_row_one_at_a_time_may_ask(moment):
    breaker = Breaker(failures_max=2, away_s=3)

    breaker.failed()
    after_one = [breaker.may_ask() for _ in range(2)]
    breaker.failed()
    at_once = breaker.may_ask()
    moment[0] += 3
    later = [breaker.may_ask() for _ in range(3)]

    assert after_one == [True, True]
    assert at_once is False
    assert later == [True, False, False]


def test_one_answer_is_enough_to_trust_again(moment):
    breaker = Breaker(failures_max=2, away_s=3)
    breaker.failed()
    breaker.answered()
    breaker.failed()
    assert not breaker.is_open

    breaker.failed()
    breaker.answered()

    assert [breaker.may_ask() for _ in range(3)] == [True] * 3
