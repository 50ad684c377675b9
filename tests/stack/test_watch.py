"""`exchange status --watch`: the picture of one moment."""

from rich.console import Console

from common import stream
from common.config import Config
from common.stack.status import status
from common.stack.watch import picture


def test_what_is_down_and_who_is_behind_is_seen(settings: Config, clean: None) -> None:
    with stream.connect(settings.bus_url) as bus:
        bus.xadd("events:tracker", {"event": "{}"})
        bus.xgroup_create("events:tracker", "accounting", id="0")
    found = status(settings.need("EXCHANGE_STATE"))
    found["servers"][0]["alive"] = False

    console = Console(width=100, record=True)
    console.print(picture(found))
    shown = console.export_text()

    assert "postgres-primary  down" in shown
    assert "events:tracker" in shown
    assert "accounting" in shown


def test_a_bus_that_is_away_is_said(settings: Config) -> None:
    found = status(settings.need("EXCHANGE_STATE")) | {"bus": "redis://127.0.0.1:1/0"}

    console = Console(width=100, record=True)
    console.print(picture(found))

    assert "The bus does not answer" in console.export_text()
