"""Whom analytics reads: the `report_*` views of the owning services, and nothing else."""

from urllib.parse import urlsplit

from common.config import Config
from common.db import Store

OWNERS = ("accounting", "tracker", "gateway", "mailer")

# Standby and primary of each service, both with the role that may only SELECT.
sources = {name: Store(name) for name in OWNERS}


def connect(settings: Config) -> None:
    """Every source is named; nothing is connected yet.  Raises Misconfigured."""
    for name, store in sources.items():
        standby, primary = apart(settings.report_url(name))
        store.open(primary, standby)


def apart(url: str) -> tuple[str, str]:
    """The URL of the first host, and that of the others or, without any, of the same again.

    libpq waits for the first one as long as it hangs, so it would never come to the second.
    """
    parts = urlsplit(url)
    who, at, hosts = parts.netloc.rpartition("@")
    first, _, others = hosts.partition(",")
    standby, primary = (
        parts._replace(netloc=who + at + each).geturl() for each in (first, others or first)
    )
    return standby, primary
