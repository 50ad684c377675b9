"""Around a Flask app: each request is counted and timed, and told of if it changed or failed."""

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from common import log as logs
from common.config import Config
from common.figures import done
from common.service import services
from common.standing import Standing

log = logging.getLogger("request")

SAFE = ("GET", "HEAD", "OPTIONS")
PLAIN = [("Content-Type", "text/plain; version=1.0.0; charset=utf-8")]


def exposition(name: str, settings: Config) -> bytes:
    """What all workers of this web process did, and what stands in the service's servers."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # else this is no gunicorn's
        MultiProcessCollector(registry)
    registry.register(Standing(next(s for s in services() if s.name == name), settings))
    return generate_latest(registry)


class Measured:
    """The app as gunicorn serves it.  At the address for figures alone it shows nothing else."""

    def __init__(
        self, app: Callable, name: str, settings: Config, figures_port: str | None
    ) -> None:
        self.app = app
        self.name = name
        self.settings = settings
        self.figures_port = figures_port

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if self.figures_port and environ.get("SERVER_PORT") == self.figures_port:
            return self.figures(environ, start_response)
        began = time.perf_counter()
        status = "500"

        def start(line: str, headers: Any, exc_info: Any = None) -> Any:
            nonlocal status
            status = line[:3]
            return start_response(line, headers, *([exc_info] if exc_info else []))

        logs.request_id.set(environ.get("HTTP_X_REQUEST_ID", "")[:64])
        try:
            return self.app(environ, start)
        finally:
            self.note(environ, status, time.perf_counter() - began)

    def note(self, environ: dict[str, Any], status: str, seconds: float) -> None:
        method, route = environ["REQUEST_METHOD"], environ.get("exchange.route", "none")
        known = method if method in (*SAFE, "POST") else "other"
        done().requests.labels(self.name, known, route, status).observe(seconds)
        level = logging.DEBUG if method in SAFE and status < "400" else logging.INFO
        if log.isEnabledFor(level):
            milliseconds = round(seconds * 1000, 1)
            log.log(level, "%s %s %s in %s ms", known, route, status, milliseconds)

    def figures(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", PLAIN)
            return [b"Here are only /metrics.\n"]
        start_response("200 OK", PLAIN)
        return [exposition(self.name, self.settings)]
