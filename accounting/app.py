"""Accounting's pages: only for what changes money."""

from flask import Flask

from accounting.models import store
from accounting.views import bp
from common import web
from common.config import Config


def create_app(settings: Config) -> Flask:
    return web.create_app("accounting", settings, bp, stores=(store,))
