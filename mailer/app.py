"""The mailer's small page."""

from flask import Flask

from common.config import Config
from common.web import create_app as make
from common.web import dead
from mailer import preview, views
from mailer.handlers import HANDLERS
from mailer.models import store


def create_app(settings: Config) -> Flask:
    return make(
        "mailer", settings, views.bp, preview.bp, dead.blueprint(store, HANDLERS), stores=(store,)
    )
