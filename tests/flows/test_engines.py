"""The flows ran on the engines that were asked for."""

import os
import subprocess

import pytest

from common import stream
from common.config import Config
from common.service import services


@pytest.mark.skipif("EXCHANGE_PG_BIN" not in os.environ, reason="the wheel's PostgreSQL is used")
def test_postgresql_is_the_one_asked_for(settings: Config) -> None:
    program = f"{os.environ['EXCHANGE_PG_BIN']}/postgres"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)

    version = services()[0].primary().value("SHOW server_version")

    assert version.split()[0] in told.stdout


@pytest.mark.skipif("EXCHANGE_REDIS_SERVER" not in os.environ, reason="the wheel's is used")
def test_redis_is_the_one_asked_for(settings: Config) -> None:
    program = os.environ["EXCHANGE_REDIS_SERVER"]
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)

    with stream.connect(settings.bus_url) as bus:
        version = bus.info()["redis_version"]

    assert f"v={version}" in told.stdout
