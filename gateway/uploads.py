"""What clients send: in one piece or as it comes, never more than promised, never left unheard."""

import time
from collections.abc import Iterable, Iterator
from typing import IO, Any

from common.errors import Refused, TooLarge
from common.say import say
from common.web import BODY_MAX

SMALL = 65_536
BROKEN_OFF = say("The upload broke off; please send it again.")
LINGER_S = 10.0


def body_of(environ: dict[str, Any], headers: list[tuple[str, str]]) -> bytes | IO[bytes]:
    """What the client sends, with its length among the headers: small in one piece, so that it can
    be sent again; large as it comes.  Raises Refused if it ends early, TooLarge.
    """
    is_chunked = not environ.get("CONTENT_LENGTH")
    length = BODY_MAX + 1 if is_chunked else int(environ["CONTENT_LENGTH"])
    upload = Upload(environ["wsgi.input"], length)
    if not is_chunked and length > SMALL:
        headers.append(("Content-Length", str(length)))
        return upload  # type: ignore[return-value]
    content = upload.pull(length)
    if is_chunked and not upload.left:
        raise TooLarge("That is too large to be taken.")
    if not is_chunked and upload.left:
        raise Refused(BROKEN_OFF)
    headers.append(("Content-Length", str(len(content))))
    return content


class Upload:
    """Exactly the promised number of bytes."""

    def __init__(self, source: IO[bytes], length: int) -> None:
        self.source = source
        self.left = length

    def read(self, size: int) -> bytes:
        """The next bytes.  Raises Refused if the client went away before the last one."""
        chunk = self.pull(min(size, self.left))
        if not chunk and self.left:
            raise Refused(BROKEN_OFF)
        return chunk

    def pull(self, size: int) -> bytes:
        try:
            chunk = self.source.read(size)
        except OSError as error:
            raise Refused(BROKEN_OFF) from error
        self.left -= len(chunk)
        return chunk


class Lingering:
    """An answer given before the client has sent all it promised.  The rest is thrown away: closing
    on a client that still sends would take the answer from it.
    """

    def __init__(self, answer: Iterable[bytes], environ: dict[str, Any]) -> None:
        self.answer = answer
        self.source: IO[bytes] = environ["wsgi.input"]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.answer)

    def close(self) -> None:
        end = time.monotonic() + LINGER_S
        try:
            while time.monotonic() < end and self.source.read(SMALL):
                pass
        except OSError:
            return
