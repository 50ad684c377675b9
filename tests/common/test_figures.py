"""Figures: shown to whoever reaches a service's own port, and where the environment says."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from common import figures
from common.config import Config
from common.errors import Misconfigured


@pytest.mark.parametrize("name", ["tracker", "accounting", "mailer"])
def test_a_service_tells_what_stands_in_its_servers(
    name: str, apps: Callable[[str], Any], clean: None
) -> None:
    answer = apps(name).test_client().get("/metrics")

    assert answer.status_code == 200
    for figure in ("outbox_waiting", "replica_lag_seconds", "dead_letters"):
        assert re.search(rf'^exchange_{figure}{{service="{name}"}} [\d.]+$', answer.text, re.M)


def test_the_gateway_shows_none(apps: Callable[[str], Any], clean: None) -> None:
    assert apps("gateway").test_client().get("/metrics").status_code == 404


def test_one_address_for_a_container_and_one_of_its_own_for_each_of_several() -> None:
    both = Config({"METRICS_BIND": "0.0.0.0:9100", "TRACKER_RELAY_METRICS_BIND": "127.0.0.1:9101"})

    assert figures.bind_of(both, "tracker-relay") == ("127.0.0.1", 9101)
    assert figures.bind_of(both, "tracker-work") == ("0.0.0.0", 9100)
    assert figures.bind_of(Config({}), "tracker-work") is None
    with pytest.raises(Misconfigured, match="TRACKER_WORK_METRICS_BIND"):
        figures.bind_of(Config({"TRACKER_WORK_METRICS_BIND": "9100"}), "tracker-work")
