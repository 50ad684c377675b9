"""Figures for Prometheus of what this process did, and where they are shown.

prometheus_client decides when it is imported whether several processes share their figures, so it
is imported by who needs it and not before.
"""

from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import NamedTuple

from common.config import Config
from common.errors import Misconfigured

FAST = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1200.0, 3600.0)


class Done:
    """What this process did since its start."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self.requests = Histogram(
            "exchange_request_seconds",
            "Requests, until their answer began.",
            ["service", "method", "route", "status"],
            buckets=FAST,
        )
        self.published = Counter(
            "exchange_published", "Events put on the bus by a relay.", ["service"]
        )
        self.batches = Histogram(
            "exchange_batch_seconds",
            "Batches of events handled and committed by a consumer.",
            ["service"],
            buckets=FAST,
        )
        self.handled = Counter(
            "exchange_handled", "Events whose effects a consumer committed.", ["service", "type"]
        )
        self.failed = Counter(
            "exchange_failed", "Tries of single events that failed in a consumer.", ["service"]
        )
        self.jobs = Histogram(
            "exchange_job_seconds", "Jobs run by a worker.", ["service"], buckets=LONG
        )

    def begin(self, service: str, kind: str, types: Iterable[str]) -> None:
        """What the process may come to count stands at zero, rather than being missing."""
        if kind == "relay":
            self.published.labels(service)
        elif kind == "work":
            self.jobs.labels(service)
        elif kind == "consume":
            self.batches.labels(service)
            self.failed.labels(service)
            for each in types:
                self.handled.labels(service, each)


first = Lock()


def done() -> Done:
    """The process's own, made when first asked for."""
    with first:  # two requests may be the first at once, and no name is registered twice
        return made()


@cache
def made() -> Done:
    return Done()


class Gauge(NamedTuple):
    """A figure that stands in a service's database: SQL with a column `value`; the others are
    labels.
    """

    name: str
    help: str
    sql: str


def bind_of(settings: Config, process: str) -> tuple[str, int] | None:
    """Where the process, `tracker-relay`, shows its figures besides; None: nowhere.

    `TRACKER_RELAY_METRICS_BIND` is for one of several with one environment, `METRICS_BIND` for one
    alone in its container.  Raises Misconfigured.
    """
    own = process.upper().replace("-", "_") + "_METRICS_BIND"
    name = own if settings.get(own) else "METRICS_BIND"
    value = settings.get(name)
    if not value:
        return None
    host, _, port = value.rpartition(":")
    if not (host and port.isdigit()):
        raise Misconfigured(f"{name} is {value!r} and must be an address like 127.0.0.1:9100.")
    return host, int(port)


def listen(settings: Config, service: str, kind: str, types: Iterable[str]) -> None:
    """The process shows its figures where it was told to.  Raises Misconfigured."""
    bind = bind_of(settings, f"{service}-{kind}")
    if bind is None:
        return
    from prometheus_client import start_http_server

    done().begin(service, kind, types)
    host, port = bind
    try:
        start_http_server(port, host)
    except OSError as error:
        raise Misconfigured(f"METRICS_BIND: {host}:{port} cannot be used: {error}.") from error
