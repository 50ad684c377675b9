"""What clients send: in one piece or as it comes, and never more than promised."""

from typing import IO, Any

from common.errors import Refused, TooLarge
from common.say import say
from common.web import BODY_MAX, FORM_MAX

BROKEN_OFF = say("The upload broke off; please send it again.")


def check_length(environ: dict[str, Any], most: int) -> None:
    """Raises TooLarge before anything is read, and Refused for what may end anywhere and should
    be small.
    """
    if int(environ.get("CONTENT_LENGTH") or 0) > most:
        raise TooLarge(say("That is too large to be taken."))
    if "HTTP_TRANSFER_ENCODING" in environ and most < BODY_MAX:
        raise Refused(say("This form came without its length; please send it in one piece."))


def body_of(environ: dict[str, Any], headers: list[tuple[str, str]]) -> bytes | IO[bytes]:
    """What the client sends, with its length among the headers: small in one piece, so that it can
    be sent again; large as it comes.  Raises Refused if it ends early, TooLarge.
    """
    is_chunked = not environ.get("CONTENT_LENGTH")
    length = BODY_MAX + 1 if is_chunked else int(environ["CONTENT_LENGTH"])
    upload = Upload(environ["wsgi.input"], length)
    if not is_chunked and length > FORM_MAX:
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
