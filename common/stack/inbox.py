"""A local SMTP server that keeps every mail as a file:  python -m common.stack.inbox PORT FOLDER

File names sort by arrival, and a file that ends in `.eml` is complete.
"""

import asyncio
import itertools
import signal
import sys
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session


class Inbox:
    """Takes any mail from anybody and writes it down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The mail is in the folder, its name later than that of any before."""
        path = self.folder / f"{time.time_ns():020}-{next(self.numbers) % 10**6:06}.eml"
        partial = path.with_suffix(".partial")
        partial.write_bytes(envelope.original_content or b"")
        partial.rename(path)
        return "250 OK"


async def serve(port: int, folder: Path) -> None:
    """Mails are taken until SIGTERM."""
    folder.mkdir(parents=True, exist_ok=True)
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    inbox = Inbox(folder)
    await loop.create_server(lambda: SMTP(inbox, loop=loop), "127.0.0.1", port, backlog=128)
    await stopped.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
