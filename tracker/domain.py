"""The rules of tasks and deals: pure functions; time and chance come in through the door."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from common.chance import draw
from common.errors import Conflict, Forbidden
from common.say import say, word

TITLE_MAX = 200
DESCRIPTION_MAX = 10_000
KEY_MAX = 50
KEYED = re.compile(r"^\[([A-Z][A-Z0-9]*-[0-9]+)\] - (.+)$")
# Han, kana and hangul, as regular expressions of Python and PostgreSQL write them: each is a word.
DENSE = (
    r"\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\ufa0e-\ufa29"
    r"\U00020000-\U0003ffff"
)
APART = "\x1f"  # no title has a control character, and no word that is searched for
KEY = re.compile(r"[A-Z][A-Z0-9]*-[0-9]+")
NOBODY = say("There is nobody to deal this to: no worker or accountant is active.")


@dataclass(frozen=True)
class Draft:
    """A task as somebody wrote it, with nothing left to complain about."""

    title: str
    jira_id: str | None = None
    description: str = ""


def split_key(text: str) -> tuple[str | None, str]:
    """`[KEY-1] - Title` as `("KEY-1", "Title")`; any other title as `(None, title)`."""
    keyed = KEYED.match(text)
    return (keyed[1], keyed[2].strip()) if keyed else (None, text)


def folded(text: str) -> str:
    """`text` as search compares it: without case or compatibility forms, in any script; all the
    i of Turkish are one.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return plain.replace("i\u0307", "i").replace("ı", "i")


def apart(text: str) -> str:
    """The folded text, each of its Han, kana and hangul characters by itself."""
    return re.sub(f"([{DENSE}])", rf"{APART}\1{APART}", text)


def search_text(draft: Draft) -> str:
    """What a search looks through: key and title, on two lines so that no word spans them; then,
    if it looks otherwise, the title apart.
    """
    title = folded(draft.title)
    lines, each = [folded(draft.jira_id or ""), title], apart(title)
    return "\n".join(lines if each == title else [*lines, each])


def sought(word: str) -> str:
    """How the folded word stands in a search text: of one or two characters there are trigrams only
    if they are apart.
    """
    return apart(word) if len(word) < 3 else word


def deal(task_id: UUID, worker_ids: Sequence[UUID], seed: bytes) -> UUID:
    """The worker this seed deals the task to, each equally likely.  `worker_ids` ascend.

    Raises Conflict if there are none.
    """
    if not worker_ids:
        raise Conflict(NOBODY)
    return worker_ids[draw("deal", seed, task_id, len(worker_ids))]


def may_manage(role: str) -> bool:
    return role in ("manager", "admin")


def check_open(status: str) -> None:
    """Raises Conflict unless the task is open."""
    if status != "open":
        raise Conflict("This task is %(state)s already.", state=word(status))


def check_may_edit(added_by: UUID, *, by: UUID, role: str) -> None:
    """Raises Forbidden unless the person added the task or is a manager."""
    if by != added_by and not may_manage(role):
        raise Forbidden("Only who added a task or a manager may change it.")


def check_may_complete(assignee_id: UUID, *, by: UUID) -> None:
    """Raises Forbidden unless the task is the person's own."""
    if by != assignee_id:
        raise Forbidden("Only its assignee may complete a task, and that is somebody else now.")
