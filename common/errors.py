"""Refusals: what a person may be told, in a sentence.  Anything else is a fault and is loud."""

from collections.abc import Mapping

from common.say import Sentence, say


class Refused(Exception):
    """The request is understood and will not be done; `str()` says why and what to do."""

    status = 400

    def __init__(self, sentence: str, /, **values: object) -> None:
        self.sentence = sentence if isinstance(sentence, Sentence) else say(sentence, **values)
        super().__init__(self.sentence)


class NotFound(Refused):
    status = 404


class Forbidden(Refused):
    status = 403


class Conflict(Refused):
    status = 409


class TooLarge(Refused):
    status = 413


class Away(Refused):
    """A part this needs does not answer; trying again soon may help."""

    status = 503


class Invalid(Refused):
    """Fields of a form that cannot be taken: `{field: sentence}`."""

    status = 422

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(say("Some fields need another look."))
        self.fields = fields


class Misconfigured(Exception):
    """The environment names no, or no usable, value; `str()` is one sentence naming it."""
