"""What is needed at the end of a page is asked for meanwhile, by another thread."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import TypeVar

from common.db import release
from common.deadline import allowed_s, deadline

HANDS = 4
T = TypeVar("T")


@cache
def hands() -> ThreadPoolExecutor:
    """This process's threads."""
    return ThreadPoolExecutor(HANDS, "later")


os.register_at_fork(after_in_child=hands.cache_clear)


def later(work: Callable[..., T], *arguments: object) -> Callable[[], T]:
    """`work` has begun; calling what is returned gives its result, or raises what it raised.  It
    has the deadline of the caller, and a database connection of its own.  With no thread free for
    it the caller does it in the end.
    """
    limit_s = allowed_s()

    def do() -> T:
        with deadline(limit_s):
            return work(*arguments)

    def do_elsewhere() -> T:
        try:
            return do()
        finally:
            release()

    begun = hands().submit(copy_context().run, do_elsewhere)
    return lambda: do() if begun.cancel() else begun.result()
