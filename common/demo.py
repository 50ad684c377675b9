"""A company with a paid week behind it, played through the real actions and the real bus."""

from datetime import datetime, time, timedelta

from common import clock
from common.config import Config
from common.service import load, services

PHASES = {"morning": time(9), "evening": time(17)}
DAYS = 8


def play(settings: Config) -> None:
    """Each service has played its part of each day of a week, and of today."""
    moment_now = clock.now()
    zone = settings.timezone
    today = clock.day_of(moment_now, zone)
    for service in services():
        service.open(settings)
    for step in range(DAYS):
        day = today - timedelta(days=DAYS - 1 - step)
        for phase, hour in PHASES.items():
            moment = min(datetime.combine(day, hour, zone), moment_now)
            with clock.hold(moment):
                act(settings, step, phase, moment)


def act(settings: Config, step: int, phase: str, moment: datetime) -> None:
    """One phase of one day; every part is heard by everybody before the next one plays."""
    for service in services():
        if service.prepare and (step, phase) == (0, "morning"):
            load(service.prepare)()
    for service in services():
        if service.demo:
            load(service.demo)(step, phase, moment)
            pump(settings)


def pump(settings: Config) -> None:
    """Everything said so far is published and handled."""
    relays = [service.relay(settings) for service in services() if service.has_relay]
    consumers = [service.consumer(settings) for service in services() if service.handlers]
    while sum(relay.drain() for relay in relays) + sum(one.drain() for one in consumers):
        pass
