"""Which service a path belongs to, and which paths are none."""

import re
from urllib.parse import quote

SERVICES = ("tracker", "accounting", "analytics", "mailer")
OWN = "gateway"
OWNERS = {
    "": OWN,
    "login": OWN,
    "logout": OWN,
    "account": OWN,
    "users": OWN,
    "audit": OWN,
    "static": OWN,
    "healthz": OWN,
    "readyz": OWN,
    "tasks": "tracker",
    "reassignments": "tracker",
    "payout-runs": "accounting",
    "earnings": "analytics",
    "accounting": "analytics",
    "analytics": "analytics",
    "events": "analytics",
    "mail": "mailer",
}

# Answered when a lot is done: a file taken in, every deal of a run recomputed.
LONG = re.compile(r"/tasks/import(\?.*)?|/reassignments/[^/]+\?(.*&)?check=all(&.*)?")

# The one form with a file, and who may send it: others are not heard to the end.
UPLOAD = "/tasks/import"
UPLOADERS = ("manager", "admin")

# Decoded once, a path of ours holds no percent sign: one that is left was encoded twice.
UNCLEAN = re.compile(r"//|(^|/)\.\.?(;|/|$)|[\\%\x00-\x1f\x7f]")
HIDDEN_SLASH = re.compile(r"%(2f|5c|00)", re.IGNORECASE)
PATH_MAX = 1024
UNRESERVED = "/:@!$&'()*+,;=~-._"


def is_clean(path: str, raw: str) -> bool:
    """Whether every reader of the path, decoded and as it was sent, sees the same place."""
    sent = raw.partition("?")[0]
    # No other host before it, and no fragment behind it that gunicorn would not show us.
    is_plain = path[:1] == sent[:1] == "/" and "#" not in raw and len(sent) <= PATH_MAX
    is_plain = is_plain and is_utf8(path)
    return is_plain and not UNCLEAN.search(path) and not HIDDEN_SLASH.search(sent)


def is_utf8(path: str) -> bool:
    """Whether the bytes, which WSGI spells as Latin-1, are text: each letter in one spelling."""
    try:
        return bool(path.encode("latin-1").decode())
    except UnicodeError:
        return False


def owner_of(path: str) -> str | None:
    """The service that answers the path, None if none does.  `.csv` belongs to its page."""
    head, *rest = path[1:].split("/")
    if head == "events" and rest:
        return rest[0] if rest[0] in SERVICES else None
    return OWNERS.get(head if rest else head.removesuffix(".csv"))


def is_local(address: str) -> bool:
    """Whether a browser sent there stays with us."""
    path = address.partition("?")[0].partition("#")[0]
    return address[:1] == "/" and not re.search(r"[\x00-\x20\x7f\\]", address) and path[:2] != "//"


def target_of(path: str, query: str) -> str:
    """What to ask a service for: the decoded path, spelled in one way only."""
    spelled = quote(path.encode("latin-1"), safe=UNRESERVED)
    return (
        f"{spelled}?{quote(query.encode('latin-1'), safe=UNRESERVED + '%?[]')}"
        if query
        else spelled
    )
