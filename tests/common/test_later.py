"""What is asked for meanwhile: its result, its failure, its deadline, its connection."""

import multiprocessing
import threading
from collections.abc import Callable
from typing import Any

import pytest
from peewee import OperationalError

from common.config import Config
from common.deadline import deadline
from common.later import HANDS, later
from tracker.models import primary


def test_it_goes_on_while_the_caller_does() -> None:
    is_asked = threading.Event()

    result = later(lambda: is_asked.wait(5) and "there")
    is_asked.set()

    assert result() == "there"


def test_nobody_waits_for_a_thread_that_is_busy() -> None:
    is_over = threading.Event()
    others = [later(is_over.wait, 30) for _ in range(HANDS)]

    assert later(lambda: "there")() == "there"

    is_over.set()
    assert all(other() for other in others)


def test_a_child_has_threads_of_its_own() -> None:
    later(lambda: None)()

    child = multiprocessing.get_context("fork").Process(target=lambda: later(lambda: None)())
    child.start()
    child.join(10)

    assert child.exitcode == 0


def test_what_it_raises_is_raised_where_its_result_is_asked_for() -> None:
    result = later(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        result()


def test_it_has_the_callers_deadline(settings: Config) -> None:
    with deadline(0.2):
        result = later(primary.value, "SELECT pg_sleep(%s)", 5)

    with pytest.raises(OperationalError, match="deadline"):
        result()


def test_its_connection_is_there_for_the_next(settings: Config) -> None:
    """Threads come and go; a server has only so many connections to give."""
    primary.close_quietly()
    pids = {elsewhere(lambda: primary.value("SELECT pg_backend_pid()")) for _ in range(20)}

    assert len(pids) == 1


def elsewhere(work: Callable[[], Any]) -> Any:
    """What `work` finds when a thread has begun it."""
    is_begun = threading.Event()
    result = later(lambda: is_begun.set() or work())
    assert is_begun.wait(5)
    return result()
