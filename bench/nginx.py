"""A real nginx with the configuration of deploy/nginx, on ports of its own."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

CONFIG = Path(__file__).parents[1] / "deploy" / "nginx" / "task-exchange.conf"
AROUND = """
daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/x1; uwsgi_temp_path {folder}/x2; scgi_temp_path {folder}/x3;
    {site}
}}
"""


def path() -> str | None:
    """Where nginx is, None if it is not installed."""
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/usr/local/sbin:/usr/local/bin")


def site(port: int, urls: dict[str, str]) -> str:
    """The configuration as it is kept, with these addresses for its own."""
    text = CONFIG.read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    for name, url in urls.items():
        address = urlsplit(url).netloc
        text, count = re.subn(
            rf"upstream {name} +{{ server \S+;", f"upstream {name} {{ server {address};", text
        )
        assert count == 1, name
    return text


@contextmanager
def running(folder: Path, port: int, urls: dict[str, str]) -> Iterator[str]:
    """nginx at work before the gateway and services of `urls`; gives its own address."""
    program = path()
    assert program
    config = folder / "nginx.conf"
    config.write_text(AROUND.format(folder=folder, site=site(port, urls)))
    command = [program, "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
    with subprocess.Popen(command) as process:
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for(port: int, process: subprocess.Popen) -> None:
    """Somebody listens on the port.  Raises RuntimeError if the process ended instead."""
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{process.args} does not listen on {port}")
