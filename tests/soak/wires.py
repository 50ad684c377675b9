"""What happens to the bus, what is on it, and the connections to it and to the databases."""

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis

from common import stream
from common.service import services
from tests.faults import faults
from tests.faults.proxy import proxy
from tests.soak.breaker import Block, Breaker

LISTENS = {service.name: service.listens for service in services() if service.listens}
STREAMS = sorted({stream.name_of(producer) for listens in LISTENS.values() for producer in listens})


@contextmanager
def lose_bus(at: Breaker) -> Block:
    with at.bus() as bus, at.queue() as queue:
        key = at.chance.choice(STREAMS)
        group = at.chance.choice(list(LISTENS))
        target = stream.name_of(at.chance.choice(LISTENS[group]))
        what, lose = at.chance.choice([
            ("bus and queues wiped", bus.flushall),
            (f"{key} deleted", lambda: bus.delete(key)),
            (f"group {group} of {target} destroyed", lambda: destroy(bus, target, group)),
            (f"{key} trimmed to 10 entries", lambda: bus.xtrim(key, 10, approximate=False)),
            ("schedule deleted", lambda: delete(queue, "rq:scheduler:*")),
            ("queues deleted", lambda: delete(queue, "rq:*")),
        ])  # fmt: skip
        lose()
    yield what


@contextmanager
def truncate(at: Breaker) -> Block:
    share = round(at.chance.random(), 2)
    with faults.stopped(at.stack, "valkey"):
        [written] = Path(at.stack.folder, "valkey").glob("appendonlydir/*.incr.aof")
        with written.open("r+b") as file:
            file.truncate(int(written.stat().st_size * share))
    yield f"the bus's file cut to {share:.0%}"


@contextmanager
def say_again(at: Breaker) -> Block:
    key, count = at.chance.choice(STREAMS), at.chance.randint(1, 300)
    with at.bus() as bus:
        found: Any = bus.xrevrange(key, count=count)
        texts = [entry.text for entry in stream.entries(key, found)]
        at.chance.shuffle(texts)
        stream.publish(bus, key, texts)
    yield f"{len(texts)} entries of {key} said again in any order"


@contextmanager
def poison(at: Breaker) -> Block:
    key = at.chance.choice(STREAMS)
    text = at.chance.choice([
        '{"soak": "no envelope"}',
        "soak \udcff\x00".encode("utf-8", "surrogatepass").decode("latin-1"),
        "",
        '"soak' + "x" * 1_100_000,
        envelope("task.completed/1", "{}"),
        envelope("user.changed/9", '{"soak": true}'),
        envelope("tasks.priced/1", '{"prices": [["soak", 1, 2]]}'),
    ])  # fmt: skip
    with at.bus() as bus:
        stream.publish(bus, key, [text])
    yield f"poison in {key}: {text[:40]!r}"


@contextmanager
def drop_replies(at: Breaker) -> Block:
    """Beside a frozen process another one, whose replies are lost on their way."""
    name, command = at.chance.choice([
        ("accounting-consume", "XREADGROUP"), ("accounting-consume", "XACK"),
        ("tracker-relay", "XADD"), ("accounting-relay", "XADD"), ("mailer-consume", "XACK"),
    ])  # fmt: skip
    with proxy(at.stack.status()["bus"]) as network, faults.frozen(at.stack, name):
        with faults.another(at.stack, name.replace("-", " "), BUS_URL=network.url):
            lost = 0
            for _ in range(4):
                network.drop_reply(command)
                lost += network.is_dropped.wait(4)
        yield f"{lost} replies to {command} of another {name} lost"


@contextmanager
def cut_commits(at: Breaker) -> Block:
    """Beside a frozen process another one, whose connections are cut at COMMIT."""
    name, of = at.chance.choice([
        ("accounting-consume", "INSERT INTO inbox"), ("tracker-consume", "INSERT INTO inbox"),
        ("tracker-relay", "UPDATE outbox"), ("mailer-consume", "UPDATE letter"),
    ])  # fmt: skip
    service = name.partition("-")[0]
    url = at.stack.status()["databases"][service]["primary"]
    with proxy(url) as network, faults.frozen(at.stack, name):
        variable = {f"{service.upper()}_DATABASE_URL": network.url}
        with faults.another(at.stack, name.replace("-", " "), **variable):
            cut = 0
            for _ in range(4):
                network.cut_commit(of, is_done=at.chance.random() < 0.5)
                cut += network.is_dropped.wait(4)
        yield f"another {name} cut off at {cut} COMMITs"


def envelope(schema: str, data: str) -> str:
    return (
        f'{{"specversion":"1.0","id":"{uuid4()}","source":"/soak","type":"{schema.split("/")[0]}",'
        f'"time":"2026-11-02T09:00:00Z","dataschema":"{schema}","data":{data}}}'
    )


def destroy(bus: redis.Redis, key: str, group: str) -> None:
    with suppress(redis.ResponseError):
        bus.xgroup_destroy(key, group)


def delete(queue: redis.Redis, pattern: str) -> None:
    if keys := list(queue.scan_iter(match=pattern)):
        queue.delete(*keys)
