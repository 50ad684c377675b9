"""The tracker's web app."""

from flask import Flask

from common import web
from common.config import Config
from common.web import dead
from tracker import views
from tracker.handlers import HANDLERS
from tracker.models import store


def create_app(settings: Config) -> Flask:
    """`/tasks…`, `/reassignments…`, and what to do with events the tracker could not handle."""
    letters = dead.blueprint(store, HANDLERS)
    return web.create_app("tracker", settings, *views.BLUEPRINTS, letters, stores=(store,))
