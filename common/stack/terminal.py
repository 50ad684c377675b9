"""What the processes say, as foreman shows it: one line each, its name in front.

Children write into their logs themselves and the terminal follows those, so that nobody waits for a
slow terminal, and nobody dies with it.
"""

import sys
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from common.stack.state import State

OWN = "exchange"


class Terminal:
    """Shows what is added to the logs of `names` from now on; `quiet`: shows nothing."""

    def __init__(self, state: State, names: Collection[str], quiet: bool = False) -> None:
        self.state = state
        self.quiet = quiet
        self.colours = dict(zip([OWN, *names], get_colours(), strict=False))
        self.printer = Printer(sys.stdout, width=max(map(len, self.colours)))
        self.seen = {path: size(path) for path in map(state.log, names)}

    def say(self, line: str) -> None:
        """The supervisor's own line is in its log and shown."""
        self.show()
        with open(self.state.log(OWN), "a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        self.write(OWN, line.encode())

    def show(self) -> None:
        """Every whole line that is in the logs by now was shown."""
        for path, position in self.seen.items():
            if size(path) > position:
                with open(path, "rb") as log:
                    log.seek(position)
                    text = log.read()
                text = text[: text.rfind(b"\n") + 1]
                self.seen[path] = position + len(text)
                self.write(path.stem, text)

    def write(self, name: str, text: bytes) -> None:
        if self.quiet or not text:
            return
        try:
            now = datetime.now(UTC).astimezone()
            self.printer.write(Message("line", text, now, name, self.colours[name]))
        except OSError:  # nobody looks any more; the logs go on
            self.quiet = True


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
