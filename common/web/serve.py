"""gunicorn, set so that it believes nothing a client says about itself."""

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from common import figures
from common.config import Config
from common.db import release

OLD_WORKERS = "EXCHANGE_OLD_WORKERS"


class Master(Arbiter):
    """On HUP it becomes the release that is installed now, in place: its pid and its open sockets
    stay, and the old workers serve until the new ones do.
    """

    command = tuple(sys.argv)

    def reload(self) -> None:
        shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)
        # gunicorn takes sockets over from the master these name.
        os.environ["GUNICORN_PID"] = str(self.pid)
        os.environ["GUNICORN_FD"] = ",".join(str(listener.fileno()) for listener in self.LISTENERS)
        os.environ[OLD_WORKERS] = " ".join(map(str, self.WORKERS))
        os.execv(sys.executable, [sys.executable, *self.command])

    def spawn_workers(self) -> None:
        super().spawn_workers()
        for pid in os.environ.pop(OLD_WORKERS, "").split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)


class Web(BaseApplication):
    """One service's gunicorn master; the app is loaded once and shared by its workers."""

    def __init__(
        self,
        name: str,
        make_app: Callable[[Config], Any],
        options: dict[str, Any],
        settings: Config,
    ):
        self.name = name
        self.make_app = make_app
        self.options = options
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        Master(self).run()

    def load(self) -> Any:
        from common.web.measured import Measured

        bind = figures.bind_of(self.settings, f"{self.name}-web")
        app = self.make_app(self.settings)
        figures.done()
        return Measured(app, self.name, self.settings, str(bind[1]) if bind else None)


def bind_of(url: str) -> str:
    """gunicorn's spelling of where to listen."""
    return url if url.startswith("unix:") else urlsplit(url).netloc


def serve(name: str, make_app: Callable[[Config], Any], settings: Config) -> None:
    """Serves until told to stop."""
    is_gateway = name == "gateway"
    bind = settings.need("GATEWAY_BIND") if is_gateway else bind_of(settings.service_url(name))
    # Before anything imports prometheus_client: its workers' figures are added up from files here.
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix=f"exchange-{name}-")
    shown_at = figures.bind_of(settings, f"{name}-web")
    options = {
        "bind": [bind] + ([f"{shown_at[0]}:{shown_at[1]}"] if shown_at else []),
        "proc_name": f"exchange-{name}",
        "workers": settings.integer("WEB_CONCURRENCY", 2),
        # The gateway gives each service as many as it has, and has as many left for the others.
        "threads": settings.integer("WEB_THREADS", 8) * (2 if is_gateway else 1),
        "worker_class": "common.web.worker.Worker",
        "preload_app": True,
        "timeout": 60,
        "graceful_timeout": 10,
        "keepalive": 75,
        "limit_request_line": 8190,
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "header_map": "refuse",
        "control_socket_disable": True,
        "worker_tmp_dir": "/dev/shm",
        "errorlog": "-",
        "loglevel": "warning",
        "when_ready": lambda _: gc.freeze(),  # or workers' gc would copy all that is loaded
        "post_request": lambda worker, request, environ, response: release(),
        "on_exit": lambda _: shutil.rmtree(folder, ignore_errors=True),
    }
    sys.argv = ["gunicorn"]
    Web(name, make_app, options, settings).run()
