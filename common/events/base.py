"""What an event is: a typed, versioned fact in a CloudEvents envelope."""

from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID

import msgspec

REGISTRY: dict[str, type["Event"]] = {}


class Unreadable(Exception):
    """An entry that is no event we know how to read; `str()` is the reason."""


class EventMeta(msgspec.StructMeta):
    """Registers each event class under `name/version`, its schema's name."""

    def __new__(
        mcs,
        class_name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        /,
        name: str = "",
        version: int = 0,
    ) -> Any:
        cls: Any = super().__new__(
            mcs, class_name, bases, namespace, frozen=True, kw_only=True, dict=True
        )
        if name:
            cls.type = name
            cls.schema = f"{name}/{version}"
            REGISTRY[cls.schema] = cls
        return cls


class Event(msgspec.Struct, metaclass=EventMeta):
    """The base of all events.  Subclasses say `name="noun.past_participle", version=n`."""

    type: ClassVar[str]
    schema: ClassVar[str]
    trace: ClassVar[str | None] = None  # of one that was read: its envelope's traceparent

    @property
    def subject(self) -> str | None:
        """What the event is about, for people reading a stream."""
        first = next(iter(self.__struct_fields__), None)
        value = getattr(self, first) if first else None
        return str(value) if isinstance(value, UUID) else None


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """CloudEvents 1.0 in JSON: `id` is the inbox key, `dataschema` names class and version."""

    id: UUID
    source: str
    type: str
    time: datetime
    dataschema: str
    data: msgspec.Raw
    subject: str | None = None
    traceparent: str | None = None
    specversion: str = "1.0"

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Raises Unreadable if it is no envelope."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unreadable(f"not an event envelope: {error}") from error

    def event(self) -> Event:
        """The typed fact.  Raises Unreadable for an unknown version or fields that do not fit."""
        cls = REGISTRY.get(self.dataschema)
        if cls is None:
            raise Unreadable(f"no class reads {self.dataschema}")
        try:
            found = msgspec.json.decode(self.data, type=cls)
        except msgspec.MsgspecError as error:
            raise Unreadable(f"{self.dataschema}: {error}") from error
        vars(found)["trace"] = self.traceparent
        return found
