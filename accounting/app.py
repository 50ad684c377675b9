"""Accounting's pages: what changes money, and what to do with events it could not handle."""

from flask import Flask

from accounting.handlers import HANDLERS
from accounting.models import store
from accounting.views import bp
from common import web
from common.config import Config
from common.web import dead


def create_app(settings: Config) -> Flask:
    letters = dead.blueprint(store, HANDLERS)
    return web.create_app("accounting", settings, bp, letters, stores=(store,))
