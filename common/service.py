"""What a service is, said once in its `cli.py`; every process of it is started from here.

Relays and consumers import neither Flask nor rq, so what needs them is named as text and imported
by the process that wants it.
"""

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click

from common import config, figures, log, startup, stream
from common import deadline as deadlines
from common.consume import Consumer
from common.db import deadline
from common.loop import Stop
from common.migrate import migrate
from common.relay import Relay
from common.retention import Kept, Sweeper
from common.store import Store

# A batch beside a long reassignment may have to wait for it.
CONSUMER_S = 30
# Somebody waits, who is to hear of a hung server within five seconds.
WEB_S = 4.0


def load(reference: str) -> Any:
    """The object that `module:name` means."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class Service:
    """A part of the system.  Texts are `module:name` references."""

    name: str
    app: str = ""
    store: Store | None = None
    handlers: str = ""
    beside: tuple[str, ...] = ()  # made with the settings, run(stop) of each has a thread
    listens: tuple[str, ...] = ()
    has_relay: bool = False
    has_jobs: bool = False
    prepare: str = ""  # called by `exchange migrate` when all migrations are done
    tick: str = ""
    tick_s: int = 60
    connect: Callable[[config.Config], None] | None = None
    demo: str = ""
    traced: str = ""  # SQL: when and what stands here of the request `id` or of any of `ids`
    kept: tuple[Kept, ...] = ()
    gauges: tuple[figures.Gauge, ...] = ()
    commands: tuple[click.Command, ...] = field(default=())

    @property
    def directory(self) -> Path:
        found = importlib.import_module(self.name).__file__
        assert found
        return Path(found).parent

    def open(self, settings: config.Config) -> "Service":
        """Its servers are named; nothing is connected yet."""
        if self.store:
            urls = settings.database_url(self.name), settings.replica_url(self.name)
            self.store.open(*urls)
        if self.connect:
            self.connect(settings)
        return self

    def primary(self) -> Any:
        assert self.store, f"{self.name} owns no database"
        return self.store.primary

    def migrate(self) -> list[str]:
        return migrate(self.primary(), self.directory / "migrations") if self.store else []

    def relay(self, settings: config.Config) -> Relay:
        bus = stream.connect(settings.bus_url)
        groups = [each.name for each in services() if self.name in each.listens]
        made = Relay(self.name, self.primary(), bus, groups, retention(settings))
        made.sweeper = Sweeper(self.primary(), self.kept, settings)
        return made

    def consumer(self, settings: config.Config) -> Consumer:
        bus = stream.connect(settings.bus_url)
        consumer = Consumer(self.name, self.primary(), bus, load(self.handlers), self.listens)
        consumer.retention = retention(settings)
        return consumer

    def group(self) -> click.Group:
        """`exchange NAME web|relay|consume|work`, those that it has."""
        group = click.Group(self.name, help=f"Run one process of {self.name}.")
        kinds = {
            "web": (bool(self.app), self.run_web),
            "relay": (self.has_relay, self.run_relay),
            "consume": (bool(self.handlers), self.run_consumer),
            "work": (self.has_jobs, self.run_worker),
        }
        for kind, (is_there, run) in kinds.items():
            if is_there:
                group.add_command(
                    click.Command(kind, callback=run, help=f"Run {self.name}-{kind}.")
                )
        return group

    def begin(self, kind: str) -> config.Config:
        settings = config.current()
        log.begin(settings, f"{self.name}-{kind}")
        self.open(settings)
        startup.check(self, kind, settings)
        if kind != "web":  # gunicorn listens for its workers
            types = [each.type for each in load(self.handlers)] if kind == "consume" else []
            figures.listen(settings, self.name, kind, types)
        return settings

    def run_web(self) -> None:
        settings = self.begin("web")
        deadlines.DEADLINE_S = WEB_S
        load("common.web.serve:serve")(self.name, load(self.app), settings)

    def run_relay(self) -> None:
        self.relay(self.begin("relay")).run(Stop().on_signals())

    def run_consumer(self) -> None:
        settings = self.begin("consume")
        stop = Stop().on_signals()
        consumer = self.consumer(settings)
        for work in [load(reference)(settings) for reference in self.beside]:
            threading.Thread(target=run_to_the_end, args=(work, stop)).start()
        with deadline(CONSUMER_S):
            run_to_the_end(consumer, stop)

    def run_worker(self) -> None:
        settings = self.begin("work")
        load("common.jobs:work")(self, settings)


def retention(settings: config.Config) -> timedelta:
    """How long published events are kept; at least a day."""
    return timedelta(days=max(1, settings.integer("EXCHANGE_RETENTION_DAYS", 3)))


def run_to_the_end(work: Any, stop: Stop) -> None:
    # Half a process is none: if one thread fails the others end too, and all are started again.
    try:
        work.run(stop)
    finally:
        stop.set()


@cache
def services() -> tuple[Service, ...]:
    """All of them, the gateway first: the others learn of people from it."""
    found = [point.load() for point in entry_points(group="exchange.services")]
    order = ["gateway", "tracker", "accounting", "analytics", "mailer"]
    return tuple(sorted(found, key=lambda service: order.index(service.name)))
