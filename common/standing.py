"""What stands in a service's databases, its queue and the bus, as figures for Prometheus."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from redis import RedisError

from common import bus_status, relay, stream
from common.config import Config
from common.db import LOST, Row, Server
from common.figures import Gauge
from common.store import Store, look

log = logging.getLogger("figures")

DEAD_LETTERS = Gauge(
    "exchange_dead_letters",
    "Events that could not be handled and wait for a person.",
    "SELECT count(*) AS value FROM dead_letter",
)


class Standing:
    """What stands in a service's servers, asked anew each time; who does not answer is left out."""

    def __init__(self, service: Any, settings: Config) -> None:
        self.service = service
        self.settings = settings

    def collect(self) -> Iterator[Any]:
        for part in (self.database, self.queue, self.bus):
            yield from self.answered(part)

    def answered(self, part: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        try:
            yield from part()
        except (*LOST, RedisError, OSError) as error:
            log.warning("%s: %s", part.__name__, str(error).strip().splitlines()[0])
            if self.service.store:
                self.service.store.close()

    def family(self, name: str, text: str, rows: list[Row]) -> Any:
        from prometheus_client.core import GaugeMetricFamily

        labels = ["service", *(key for key in (rows[0] if rows else {}) if key != "value")]
        family = GaugeMetricFamily(name, text, labels=labels)
        for row in rows:
            told = [self.service.name, *(str(row[key]) for key in labels[1:])]
            family.add_metric(told, float(row["value"]))
        return family

    def database(self) -> Iterator[Any]:
        store: Store | None = self.service.store
        if store is None:
            return
        reading = store.reading()
        for gauge in (DEAD_LETTERS, *self.service.gauges):
            rows = [row for row in reading.db.rows(gauge.sql) if row["value"] is not None]
            yield self.family(gauge.name, gauge.help, rows)
        yield from self.lag(store.replica)
        waiting, oldest_s = relay.backlog(store.primary)
        yield self.family(
            "exchange_outbox_waiting", "Events not published yet.", [{"value": waiting}]
        )
        yield self.family(
            "exchange_outbox_oldest_seconds", "Age of the oldest of them.", [{"value": oldest_s}]
        )

    def lag(self, replica: Server) -> Iterator[Any]:
        lag_s = look(replica)[0].lag_s
        yield self.family(
            "exchange_replica_lag_seconds", "How old what the replica shows is.", [{"value": lag_s}]
        )

    def queue(self) -> Iterator[Any]:
        if not self.service.has_jobs:
            return
        with stream.connect(self.settings.queue_url, timeout_s=1) as queue:
            waiting: Any = queue.llen(f"rq:queue:{self.service.name}")
        yield self.family(
            "exchange_queue_waiting", "Jobs no worker has taken yet.", [{"value": waiting}]
        )

    def bus(self) -> Iterator[Any]:
        """Each group of the bus, told by the service that has no store: analytics shows it too."""
        if self.service.store:
            return
        with stream.connect(self.settings.bus_url, timeout_s=1) as bus:
            rows = bus_status.lags(bus)
        for name, key, text in (
            ("exchange_group_lag", "lag", "Entries not delivered to the group yet."),
            ("exchange_group_pending", "pending", "Entries delivered and not acknowledged."),
            ("exchange_group_oldest_seconds", "oldest_s", "Age of the oldest of both."),
        ):
            told = [{"stream": r["stream"], "group": r["group"], "value": r[key]} for r in rows]
            yield self.family(name, text, [row for row in told if row["value"] is not None])
