"""The contract of events: what was published once can be read for ever."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from common.events import Envelope, Unreadable, catalogue
from common.events.base import REGISTRY, Event

SAMPLES = Path(__file__).parent / "samples"
SCHEMAS = Path(__file__).parents[2] / "docs" / "events"


def test_the_catalogue_is_what_the_classes_say() -> None:
    kept = {path.name: path.read_text() for path in SCHEMAS.iterdir()}

    assert kept == catalogue.files(), "run python -m common.events.catalogue"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace('"task_id"', '"job_id"'),
        lambda text: text.replace('"format": "uuid"', '"format": "date"', 1),
        lambda text: text.replace('"assignee_id",', "", 1),
    ],
    ids=["another name", "another type", "no longer required"],
)
def test_a_published_version_never_changes(tmp_path: Path, change: Callable[[str], str]) -> None:
    catalogue.write(tmp_path)
    schema = tmp_path / "task.completed.v1.schema.json"
    published = change(schema.read_text())
    assert published != schema.read_text()
    schema.write_text(published)

    with pytest.raises(ValueError, match="make a new version"):
        catalogue.write(tmp_path)

    assert schema.read_text() == published


def test_the_words_about_a_published_version_may_change(tmp_path: Path) -> None:
    catalogue.write(tmp_path)
    schema = tmp_path / "task.completed.v1.schema.json"
    schema.write_text(schema.read_text().replace("A worker finished", "Somebody finished"))

    catalogue.write(tmp_path)

    assert "A worker finished" in schema.read_text()


def test_the_catalogue_says_who_hears_of_an_event() -> None:
    page = catalogue.files()["payout.made.md"]

    assert "Said by accounting" in page
    assert "Heard by mailer (`write_letters`)" in page
    assert "| `amount_cents` | integer, cents |" in page


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_version_ever_published_still_reads(sample: Path) -> None:
    text = sample.read_bytes()

    event = Envelope.read(text).event()

    assert msgspec.json.decode(msgspec.json.encode(event)) == msgspec.json.decode(text)["data"]


def test_every_published_version_has_a_frozen_sample() -> None:
    versions = {cls.schema for classes in catalogue.published().values() for cls in classes}

    samples = {Envelope.read(path.read_bytes()).dataschema for path in SAMPLES.glob("*.json")}

    assert samples == versions


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "envelope"),
        ("{}", "envelope"),
        ('{"id": 7}', "envelope"),
        ("\udcff", "envelope"),
    ],
)
def test_what_is_no_envelope_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        Envelope.read(text.encode("utf-8", "surrogatepass"))


def envelope(schema: str, data: str) -> Envelope:
    text = (
        '{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000001","source":"/tests",'
        f'"type":"{schema.split("/")[0]}","time":"2026-11-02T09:00:00Z","dataschema":"{schema}",'
        f'"data":{data}}}'
    )
    return Envelope.read(text)


def test_an_unknown_version_and_wrong_fields_are_refused_with_a_reason() -> None:
    with pytest.raises(Unreadable, match=r"task\.completed/9"):
        envelope("task.completed/9", "{}").event()
    with pytest.raises(Unreadable, match="task_id"):
        envelope("task.completed/1", "{}").event()


class ParcelWeighed(Event, name="parcel.weighed", version=1):
    """The first version said pounds."""

    parcel_id: UUID
    pounds: float


class ParcelWeighedInGrams(Event, name="parcel.weighed", version=2):
    """The second says grams; the first stays readable until nobody says it any more."""

    parcel_id: UUID
    grams: int


def test_a_second_version_arrives_beside_the_first() -> None:
    parcel = '"parcel_id":"01900000-0000-7000-8000-000000000002"'

    old = envelope("parcel.weighed/1", f'{{{parcel},"pounds":2.0}}').event()
    new = envelope("parcel.weighed/2", f'{{{parcel},"grams":907,"colour":"red"}}').event()

    assert isinstance(old, ParcelWeighed)
    assert isinstance(new, ParcelWeighedInGrams)
    assert new.grams == 907
    assert {"parcel.weighed/1", "parcel.weighed/2"} <= set(REGISTRY)
