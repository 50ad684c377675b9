"""Reports and charts, and everybody's own money."""

from flask import Flask

from analytics import events, ledger, money, views
from analytics.sources import sources
from common.config import Config
from common.web import create_app as make


def create_app(settings: Config) -> Flask:
    stores = tuple(sources.values())
    return make("analytics", settings, money.bp, views.bp, ledger.bp, events.bp, stores=stores)
