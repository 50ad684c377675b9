"""The tracker's web app."""

from flask import Flask

from common import web
from common.config import Config
from tracker import views
from tracker.models import store


def create_app(settings: Config) -> Flask:
    """`/tasks…` and `/reassignments…`."""
    return web.create_app("tracker", settings, *views.BLUEPRINTS, stores=(store,))
