"""Whom analytics reads: the `report_*` views of the owning services, and nothing else."""

from common.config import Config
from common.store import Store, apart

OWNERS = ("accounting", "tracker", "gateway", "mailer")

# Standby and primary of each service, both with the role that may only SELECT.
sources = {name: Store(name) for name in OWNERS}


def connect(settings: Config) -> None:
    """Every source is named; nothing is connected yet.  Raises Misconfigured."""
    for name, store in sources.items():
        standby, primary = apart(settings.report_url(name))
        store.open(primary, standby)
