"""What tests of the bus share."""

from collections.abc import Iterator

import pytest

from common.config import Config
from tests.common.wire import Wire
from tests.faults.proxy import Proxy, proxy


@pytest.fixture
def wire(settings: Config, clean: None) -> Iterator[Wire]:
    made = Wire(settings)
    made.primary.execute_sql("CREATE TABLE heard (task_id uuid NOT NULL)")
    yield made
    made.primary.execute_sql("DROP TABLE heard")


@pytest.fixture
def network(settings: Config) -> Iterator[Proxy]:
    """A way to the bus that can break."""
    with proxy(settings.bus_url) as made:
        yield made
