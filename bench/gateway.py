"""What the gateway costs, beside nginx in its place: one page, asked for each way in turn."""

import re
import shutil
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from bench import nginx
from bench.figures import Figure
from bench.stack import EXCHANGE, Browser, free_port
from bench.world import World
from common.identity import HEADER, Identity, Signer

PATH = "/tasks"
PAGE = f"{PATH}?status=open&assignee=me"
WHO = "worker0@example.com"
CONNECTIONS, RUN_S, ROUNDS = 8, 2, 7
RATIO_MIN, ADDED_MAX_MS = 0.75, 2.0
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

# Its address, and what the caller says there: an identity is good for half a minute.
Way = tuple[str, Callable[[], str]]


def measure(world: World) -> list[Figure]:
    """Requests/s of eight connections; what one request takes longer than at the service itself."""
    with ways(world) as found:
        rates = {name: rate for name, (rate, _) in compare(found, CONNECTIONS).items()}
        medians = {name: median for name, (_, median) in compare(found, 1).items()}
    figures = []
    for name in ("gateway", "nginx and auth_request"):
        if name not in found:
            continue
        is_ours = name == "gateway"
        ratio, added = rates[name] / rates["direct"], medians[name] - medians["direct"]
        figures += [
            Figure(f"{name}, own open tasks as HTML", f"25 rows, {CONNECTIONS} connections",
                   rates[name], "requests/s", rates["direct"], "service called directly",
                   f"≥ {RATIO_MIN}" if is_ours else "–", ratio >= RATIO_MIN if is_ours else None),
            Figure(f"{name}, added at p50", "25 rows, 1 connection", added, "ms",
                   reach=f"≤ {ADDED_MAX_MS:g}" if is_ours else "–",
                   is_met=added <= ADDED_MAX_MS if is_ours else None),
        ]  # fmt: skip
    return figures


@contextmanager
def ways(world: World) -> Iterator[dict[str, Way]]:
    """To the service itself, through the gateway, and through nginx where there is one."""
    bob, settings = Browser(world.stack.url, WHO), world.settings
    session = next(each.value for each in bob.cookies if each.name == "session")
    cookie = f"Cookie: session={session}"
    signer, user_id = Signer(settings.secret_keys), world.id_of(WHO)

    def identity() -> str:
        asked = {"audience": "tracker", "method": "GET", "path": PATH}
        told = {"name": "Worker0", "role": "worker", "session_id": uuid4(), "request_id": "bench"}
        return f"{HEADER}: {signer.sign(Identity(user_id=user_id, **told, **asked))}"  # type: ignore[arg-type]

    found: dict[str, Way] = {
        "direct": (settings.service_url("tracker"), identity),
        "gateway": (world.stack.url, lambda: cookie),
    }
    if not nginx.path():
        yield found
        return
    with through_nginx(world) as url:
        yield {**found, "nginx and auth_request": (url, lambda: cookie)}


@contextmanager
def through_nginx(world: World) -> Iterator[str]:
    """nginx before the services, and a gateway of its own that tells it who asks."""
    back, front = free_port(), free_port()
    env = world.stack.told()
    env |= {
        "GATEWAY_BIND": f"127.0.0.1:{back}",
        "GATEWAY_VERIFY": "1",
        "GATEWAY_TRUSTED_PROXIES": "1",
    }
    services = ("tracker", "accounting", "analytics", "mailer")
    urls = {name: world.settings.service_url(name) for name in services}
    folder = Path(world.stack.folder) / "nginx"
    folder.mkdir(exist_ok=True)
    with subprocess.Popen([EXCHANGE, "gateway", "web"], env=env) as gateway:
        try:
            nginx.wait_for(back, gateway)
            urls["gateway"] = f"http://127.0.0.1:{back}"
            with nginx.running(folder, front, urls) as url:
                yield url
        finally:
            gateway.terminate()
            with suppress(OSError):
                shutil.rmtree(folder)


def compare(found: dict[str, Way], connections: int) -> dict[str, tuple[float, float]]:
    """`{way: (requests/s, p50 in ms)}`, medians of short runs that take turns, so that whatever
    else the machine does is borne by all alike.
    """
    runs = defaultdict(list)
    for _ in range(ROUNDS):
        for name, (url, header) in found.items():
            runs[name].append(run(url + PAGE, header(), connections))
    return {
        name: (statistics.median(rates), statistics.median(medians))
        for name, (rates, medians) in (
            (name, zip(*each, strict=True)) for name, each in runs.items()
        )
    }


def run(url: str, header: str, connections: int) -> tuple[float, float]:
    """Requests/s and p50 in ms.  Raises RuntimeError if anything but pages was answered."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{RUN_S}s", "--latency", "--timeout", "10s"]
    command += ["-H", "Accept: text/html", "-H", header, url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", told)
    if "Non-2xx" in told or "Socket errors" in told or not rate or not median:
        raise RuntimeError(told)
    return float(rate[1]), float(median[1]) * UNITS_MS[median[2]]
