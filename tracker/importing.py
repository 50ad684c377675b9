"""CSV to drafts, row by row."""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

from common.errors import Invalid
from common.say import say
from tracker import forms
from tracker.domain import Draft

FIELDS = ("title", "jira_id", "description")
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
NO_TITLE = say("The file needs a first row with a column named title, separated by commas.")
NOT_UTF8 = say("The file is not UTF-8 text; please save it as CSV UTF-8.")
BATCH = 1000

# A cell too long for a task is that row's problem, not the file's.
csv.field_size_limit(1 << 27)
CHUNK = 1 << 16


@dataclass
class Report:
    """What became of the rows so far."""

    added: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)


def check_text(file: IO[bytes], advance: Callable[[int], Any] = lambda size: None) -> None:
    """The file is UTF-8 to its end, and back at its beginning.  Raises Invalid."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(CHUNK):
            decoder.decode(chunk)
            advance(len(chunk))
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Invalid({"file": NOT_UTF8}) from None
    file.seek(0)


def batches(file: IO[bytes], report: Report, size: int = BATCH) -> Iterator[list[Draft]]:
    """The drafts of the file's good rows, `size` at a time; the others go to the report.

    Raises Invalid if the file is no such table.
    """
    drafts = (draft for row in rows(file) if (draft := drafted(*row, report)))
    while batch := list(islice(drafts, size)):
        yield batch


def rows(file: IO[bytes]) -> Iterator[tuple[int, dict[str, str], int]]:
    """`(row number from 1, {column: cell}, how many cells are beyond the header)`."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    reader = csv.reader(text)
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        if "title" not in header:
            raise Invalid({"file": NO_TITLE})
        filled: Iterable[list[str]] = (cells for cells in reader if cells)
        for number, cells in enumerate(filled, 1):
            yield number, dict(zip(header, cells, strict=False)), len(cells) - len(header)
    except UnicodeDecodeError:
        raise Invalid({"file": NOT_UTF8}) from None
    except csv.Error as error:
        problem = say(
            "Line %(line)s of the file cannot be read: %(error)s.",
            line=reader.line_num,
            error=str(error),
        )
        raise Invalid({"file": problem}) from None
    finally:
        text.detach()  # or it would close the caller's file


def drafted(number: int, cells: dict[str, str], surplus: int, report: Report) -> Draft | None:
    """The row as a draft; or None, and the report says why."""
    try:
        if surplus > 0:
            raise Invalid({"title": say("The row has more cells than the first one.")})
        return forms.draft({name: unquoted(cells.get(name, "")) for name in FIELDS})
    except Invalid as error:
        report.refused.append({"row": number, "reason": " ".join(error.fields.values())})
        return None


def unquoted(cell: str) -> str:
    """The cell without the apostrophe that keeps spreadsheets from taking it for a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in FORMULA_SIGNS and cell[1:] else cell
