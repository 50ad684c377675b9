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

# Decoded once, a path of ours holds no percent sign: one that is left was encoded twice.
UNCLEAN = re.compile(r"//|(^|/)\.\.?(/|$)|[\\%\x00-\x1f\x7f]")
HIDDEN_SLASH = re.compile(r"%(2f|5c|00)", re.IGNORECASE)
UNRESERVED = "/:@!$&'()*+,;=~-._"


def is_clean(path: str, raw: str) -> bool:
    """Whether every reader of the path, decoded and as it was sent, sees the same place."""
    sent = raw.partition("?")[0]
    return path[:1] == "/" and not UNCLEAN.search(path) and not HIDDEN_SLASH.search(sent)


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
