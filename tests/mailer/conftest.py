"""What the mailer's tests share: payouts, a sender, and mail servers that misbehave."""

import asyncio
import email
import email.policy
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiosmtpd.controller import Controller

from common.config import Config
from common.events import PayoutMade
from mailer import handlers
from mailer.models import primary
from mailer.sender import Sender

FRIDAY = date(2026, 11, 20)


def payout(worker_id: UUID, **changes: Any) -> PayoutMade:
    facts: dict[str, Any] = {
        "payout_id": uuid4(),
        "payout_run_id": uuid4(),
        "worker_id": worker_id,
        "day": FRIDAY,
        "carried_cents": -500,
        "fees_cents": 1500,
        "rewards_cents": 14300,
        "amount_cents": 12300,
        "currency": "EUR",
        "paid_at": datetime(2026, 11, 21, 0, 1, tzinfo=UTC),
    }
    return PayoutMade(**facts | changes)


def paid(*payouts: PayoutMade) -> None:
    """The mailer has heard of the payouts."""
    with primary.atomic():
        handlers.write_letters(payouts)


def rows() -> list[dict[str, Any]]:
    return primary.rows("SELECT * FROM letter ORDER BY id")


def settled() -> list[str]:
    """The states told by `letter.settled`, in order."""
    return [
        row["state"]
        for row in primary.rows(
            "SELECT envelope::json->'data'->>'state' AS state FROM outbox"
            " WHERE type = 'letter.settled' ORDER BY id"
        )
    ]


def mails(folder: Path) -> list[EmailMessage]:
    return [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)  # type: ignore[misc]
        for path in sorted(folder.glob("*.eml"))
    ]


def part(mail: EmailMessage, kind: str) -> str:
    """The text or HTML of a mail."""
    found = mail.get_body((kind,))
    assert found is not None
    return found.get_content()


@pytest.fixture
def sender(settings: Config, clean: None) -> Iterator[Sender]:
    made = Sender(settings)
    yield made
    made.close()


class Server:
    """A mail server's handler that answers as told, and keeps what it took."""

    def __init__(self, rcpt: Callable[[str], str | None], data: str, silent: str) -> None:
        self.rcpt = rcpt
        self.data = data
        self.silent = silent
        self.taken: list[EmailMessage] = []
        self.connections = 0

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, name: str, answers: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = name
        return answers

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, to: str, _: Any
    ) -> str:
        if refusal := self.rcpt(to):
            return refusal
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        if self.silent and self.silent in envelope.rcpt_tos[0]:
            await asyncio.sleep(60)
        if self.data.startswith("250"):
            content = envelope.content
            self.taken.append(email.message_from_bytes(content, policy=email.policy.default))
        return self.data


@pytest.fixture
def other_server(sender: Sender) -> Callable[..., Any]:
    """`with other_server(rcpt=…, data=…) as server:` the sender uses a server that answers so."""

    @contextmanager
    def start(
        rcpt: Callable[[str], str | None] = lambda to: None,
        data: str = "250 OK",
        silent: str = "",
    ) -> Iterator[Server]:
        handler = Server(rcpt, data, silent)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        controller = Controller(handler, hostname="127.0.0.1", port=port)
        controller.start()
        sender.post.mail.port = port
        try:
            yield handler
        finally:
            sender.post.close()
            controller.stop()

    return start
