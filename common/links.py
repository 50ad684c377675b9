"""The token of a link in a letter: the mailer makes it when it sends, the gateway checks it.

It can be made again from the link's id by whoever holds the keys, so that it need be kept nowhere.
"""

import hashlib
import hmac
from datetime import UTC, datetime
from uuid import UUID

PATH = "/account/reset/"
ID_LENGTH = 32


def token_for(secret_key: str, purpose: str, link_id: UUID, expires_at: datetime) -> str:
    """The link's id and what proves that it came from us."""
    words = f"link|{purpose}|{link_id.hex}|{expires_at.astimezone(UTC).isoformat()}"
    proof = hmac.new(secret_key.encode(), words.encode(), hashlib.sha256).hexdigest()
    return link_id.hex + proof


def id_of(token: str) -> UUID | None:
    """The link that the token says it is of; None if it says none."""
    try:
        return UUID(token[:ID_LENGTH])
    except ValueError:
        return None


def matches(
    secret_keys: tuple[str, ...], token: str, purpose: str, link_id: UUID, expires_at: datetime
) -> bool:
    """Whether the token is the link's, made with any key that is live."""
    given = token.encode()
    made = (token_for(key, purpose, link_id, expires_at).encode() for key in secret_keys)
    return any(hmac.compare_digest(each, given) for each in made)
