"""`/healthz` says the process lives, `/readyz` what it needs and why not, `/metrics` figures."""

import redis
from flask import Flask, Response, current_app

from common import startup, stream
from common.db import LOST, Server
from common.store import Store, look
from common.web import measured, respond


def server_state(server: Server) -> tuple[bool, str]:
    """Whether the server answers, and its state in words."""
    try:
        reading, _ = look(server)
        return True, "ok" if reading.lag_s < 60 else f"{reading.lag_s:.0f} s behind"
    except LOST as error:
        server.close_quietly()
        return False, str(error).strip().splitlines()[0]


def bus_state() -> str:
    try:
        with stream.connect(current_app.config["EXCHANGE"].bus_url, timeout_s=1) as bus:
            return "; ".join(["ok", *startup.weaknesses(bus)])
    except redis.RedisError as error:
        return str(error)


def dependencies(stores: tuple[Store, ...]) -> tuple[bool, dict[str, str]]:
    """Whether reading pages can be served, and each dependency's state in words."""
    states: dict[str, str] = {}
    ready = True
    for store in stores:
        primary_answers, primary = server_state(store.primary)
        replica_answers, replica = server_state(store.replica)
        states |= {f"{store.name}-primary": primary, f"{store.name}-replica": replica}
        ready = ready and (primary_answers or replica_answers)
    return ready, states | {"bus": bus_state()}


def install(app: Flask, stores: tuple[Store, ...]) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return respond.json({"status": "ok"})

    if app.name != "gateway":

        @app.get("/readyz")
        def readyz() -> Response:
            ready, states = dependencies(stores)
            answer = {"status": "ok" if ready else "not ready", "dependencies": states}
            return respond.json(answer, 200 if ready else 503)

        @app.get("/metrics")
        def metrics() -> Response:
            text = measured.exposition(app.name, app.config["EXCHANGE"])
            return Response(text, content_type=measured.PLAIN[0][1])
