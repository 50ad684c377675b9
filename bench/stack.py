"""A stack of its own for a bench: started, signed in to, and removed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from common.stack.state import load_env

EXCHANGE = str(Path(sys.executable).with_name("exchange"))
PASSWORD = "a-password-for-benches"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def outer_environment() -> dict[str, str]:
    """Ours without what is said of any other stack, such as that of a test session."""
    theirs = ("EXCHANGE_", "GATEWAY_", "MAIL_")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(theirs) and not name.endswith("_URL")
    }


class Stack:
    """`exchange up` on a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.output = folder / "up.log"
        self.env = outer_environment() | {
            "EXCHANGE_STATE": str(folder),
            "EXCHANGE_DEMO": "0",
            "EXCHANGE_PG_SHARED_BUFFERS": "160MB",
        }

    def start(self) -> float:
        """Seconds until the gateway and everything behind it is ready."""
        began = time.monotonic()
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                self.command(), env=self.env, stdout=output, stderr=output
            )
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - began > 120:
                raise RuntimeError(f"the stack did not start:\n{self.output.read_text()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def command(self) -> list[str]:
        return [EXCHANGE, "up", "--port", str(self.port), "--state", str(self.folder)]

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def run(self, *arguments: str, text: str = "") -> str:
        done = subprocess.run(
            [EXCHANGE, *arguments],
            env=self.env,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"exchange {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def add_user(self, email: str, role: str) -> None:
        name = email.partition("@")[0].title()
        self.run("user", "add", email, "--name", name, "--role", role, "--password-stdin",
                 text=PASSWORD)  # fmt: skip

    def status(self) -> Any:
        return json.loads(self.run("status", "--json"))

    def told(self) -> dict[str, str]:
        """What its processes are told, whatever this one is told of other stacks."""
        return self.env | load_env(self.folder, self.env)


@contextmanager
def running() -> Iterator[Stack]:
    """A started stack, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="exchange-bench-"))
    stack = Stack(folder, free_port())
    try:
        yield stack
    finally:
        if stack.process.poll() is None:
            stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Browser:
    """Somebody signed in, talking JSON through the gateway."""

    def __init__(self, url: str, email: str) -> None:
        self.url = url
        self.cookies = CookieJar()
        kept = urllib.request.HTTPCookieProcessor(self.cookies)
        self.http = urllib.request.build_opener(kept)
        token = self.get("/login")["csrf_token"]
        self.token = token
        self.post("/login", {"email": email, "password": PASSWORD})
        page = self.open("/account", accept="text/html").decode()
        self.token = page.partition('name="csrf_token" value="')[2].partition('"')[0]

    def open(self, path: str, data: bytes | None = None, accept: str = "application/json",
             **headers: str) -> bytes:  # fmt: skip
        request = urllib.request.Request(
            self.url + path, data, {"Accept": accept, "Origin": self.url, **headers}
        )
        with self.http.open(request, timeout=60) as answer:
            return bytes(answer.read())

    def get(self, path: str) -> Any:
        return json.loads(self.open(path))

    def post(
        self, path: str, form: dict[str, str] | None = None, accept: str = "application/json"
    ) -> Any:
        body = urllib.parse.urlencode({"csrf_token": self.token, **(form or {})}).encode()
        return json.loads(self.open(path, body, accept))

    def upload(self, path: str, name: str, content: bytes) -> Any:
        mark = "----bench"
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n'
            f"{self.token}\r\n",
            f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="tasks.csv"\r\n'
            "Content-Type: text/csv\r\n\r\n",
        ]
        body = "".join(parts).encode() + content + f"\r\n--{mark}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        return json.loads(self.open(path, body, **kind))
