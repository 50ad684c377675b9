"""Letters as they leave: once, retried, given up, and never with a header of somebody else's."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from peewee import OperationalError

from common import clock
from common.errors import Misconfigured
from common.events import UserAdded
from common.loop import Stop
from mailer import domain, handlers, letters, smtp
from mailer.models import primary
from mailer.sender import Sender
from mailer.smtp import Unreachable
from tests.mailer.conftest import mails, paid, part, payout, rows, settled


def send_all(sender):
    while sender.send_due():
        pass


def added(email, name="Bob"):
    person = uuid4()
    facts = {"role": "worker", "is_active": True, "user_version": 1}
    with primary.atomic():
        handlers.learn_addresses([UserAdded(user_id=person, email=email, name=name, **facts)])
    return person


def test_a_payout_becomes_one_mail_with_its_figures(cast, sender, inbox):
    paid(payout(cast.bob.id))

    send_all(sender)

    [mail] = mails(inbox)
    assert mail["To"] == cast.bob.email
    assert mail["Subject"] == "You were paid 123.00 EUR for Friday 20 November"
    for kind in ("plain", "html"):
        text = part(mail, kind)
        for figure in ("123.00 EUR", "143.00 EUR", "\u221215.00 EUR", "\u22125.00 EUR"):
            assert figure in text
        assert f"{sender.settings.public_url}/earnings" in text
        assert "Hello Bob" in text
    assert (rows()[0]["state"], rows()[0]["attempts"]) == ("sent", 1)
    assert settled() == ["sent"]


def test_a_connection_that_ended_meanwhile_leaves_no_letter_unsettled(
    cast, sender, inbox, monkeypatch
):
    paid(payout(cast.bob.id), payout(cast.bob.id))
    deliver = sender.post.deliver

    def ended(message):
        pid = primary.value("SELECT pg_backend_pid()")
        with ThreadPoolExecutor() as another:
            end = another.submit(primary.value, "SELECT pg_terminate_backend(%s, 1000)", pid)
            assert end.result()
        deliver(message)

    monkeypatch.setattr(sender.post, "deliver", ended)

    send_all(sender)

    assert len(mails(inbox)) == 2
    assert [row["state"] for row in rows()] == ["sent"] * 2
    assert settled() == ["sent"] * 2


def test_what_is_sent_is_not_sent_again(cast, sender, inbox):
    paid(payout(cast.bob.id))

    send_all(sender)
    send_all(sender)

    assert len(mails(inbox)) == 1


def test_many_letters_share_one_connection(cast, sender, other_server):
    paid(*(payout(cast.bob.id) for _ in range(120)))

    with other_server() as server:
        send_all(sender)

    assert len(server.taken) == 120
    assert server.connections == 1
    assert {row["state"] for row in rows()} == {"sent"}


@pytest.mark.promise(31)
def test_two_senders_never_take_the_same_letter(cast, sender, settings, inbox):
    paid(*(payout(cast.bob.id) for _ in range(3)))
    mine = letters.lease(clock.now(), limit=2)

    send_all(sender)

    assert len(mine) == 2
    assert len(mails(inbox)) == 1


def killed(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.promise(30)
@pytest.mark.promise(31)
def test_a_crash_between_250_and_commit_sends_the_same_message_id(cast, sender, inbox, monkeypatch):
    paid(payout(cast.bob.id))
    with monkeypatch.context() as patched:
        patched.setattr(letters, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            sender.send_due()
    assert sender.send_due() == 0, "the lease still runs"

    with clock.hold(clock.now() + letters.LEASE):
        send_all(sender)

    first, second = mails(inbox)
    assert first["Message-ID"] == second["Message-ID"]
    assert settled() == ["sent"]


def test_a_lost_lease_settles_nothing(cast, sender):
    paid(payout(cast.bob.id))
    [late] = letters.lease(clock.now())
    with clock.hold(clock.now() + letters.LEASE):
        send_all(sender)

    letters.settle(late, "failed", now=clock.now(), error="too late")

    assert rows()[0]["state"] == "sent"
    assert settled() == ["sent"]


@pytest.mark.parametrize("answer", ["450 busy", "421 closing"])
def test_a_4xx_is_tried_again_later(cast, sender, other_server, answer):
    paid(payout(cast.bob.id))
    with other_server(data=answer):
        sender.send_due()
    [letter] = rows()
    assert (letter["state"], letter["attempts"]) == ("queued", 1)
    assert answer in letter["error"]
    assert letter["next_attempt_at"] > clock.now()

    with other_server() as server, clock.hold(clock.now() + timedelta(seconds=5)):
        send_all(sender)

    assert len(server.taken) == 1
    assert rows()[0]["error"] is None
    assert settled() == ["sent"]


def test_a_4xx_for_two_days_is_a_failure(cast, sender, other_server):
    paid(payout(cast.bob.id))

    with other_server(data="450 busy"), clock.hold(clock.now() + domain.GIVE_UP_AFTER):
        sender.send_due()

    assert (rows()[0]["state"], rows()[0]["error"]) == ("failed", "450 busy")
    assert settled() == ["failed"]


def test_a_5xx_is_a_failure_at_once_and_holds_up_nobody(cast, sender, other_server):
    paid(payout(cast.bob.id), payout(cast.cat.id))

    with other_server(rcpt=lambda to: "550 no such user" if "bob" in to else None) as server:
        send_all(sender)

    assert [mail["To"] for mail in server.taken] == [cast.cat.email]
    assert sorted(settled()) == ["failed", "sent"]
    assert primary.value("SELECT error FROM letter WHERE state = 'failed'") == "550 no such user"


def test_without_a_server_letters_stay_queued_and_say_why(cast, sender):
    paid(payout(cast.bob.id))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        sender.post.mail.port = taken.getsockname()[1]
        with pytest.raises(Unreachable):
            sender.send_due()

    [letter] = rows()
    assert (letter["state"], letter["attempts"]) == ("queued", 0), "no letter is to blame"
    assert "does not answer" in letter["error"]
    assert letter["next_attempt_at"] < clock.now() + timedelta(seconds=31)


@pytest.mark.promise(32)
def test_after_a_server_silent_at_its_banner_all_letters_go_out_soon(
    cast, sender, other_server, monkeypatch
):
    monkeypatch.setattr(smtp, "STEP_S", 0.3)
    paid(*(payout(cast.bob.id) for _ in range(3)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender.post.mail.port = silent.getsockname()[1]
        with pytest.raises(Unreachable):
            sender.send_due()

    with other_server() as server, clock.hold(clock.now() + timedelta(seconds=30)):
        send_all(sender)

    assert len(server.taken) == 3
    assert settled() == ["sent"] * 3


@pytest.mark.promise(32)
def test_a_silent_host_costs_one_timeout_and_not_one_a_letter(
    cast, sender, other_server, monkeypatch
):
    monkeypatch.setattr(smtp, "STEP_S", 0.3)
    for n in range(5):
        added(f"n{n}@silent.example")
    paid(*(payout(row["person_id"]) for row in primary.rows("SELECT person_id FROM address")))

    with other_server(silent="silent.example") as server:
        send_all(sender)

    assert len(server.taken) == len(list(cast))
    waiting = [row for row in rows() if row["state"] == "queued"]
    assert sorted(row["attempts"] for row in waiting) == [0, 0, 0, 0, 1]
    assert all(row["next_attempt_at"] > clock.now() for row in waiting)


def test_beside_the_consumer_it_sends_until_told_to_stop(cast, settings, inbox, monkeypatch):
    monkeypatch.setattr("mailer.sender.POLL_S", 0.01)
    stop, sender = Stop(), Sender(settings)
    beside = threading.Thread(target=sender.run, args=(stop,))
    beside.start()

    paid(payout(cast.bob.id))
    until(lambda: settled() == ["sent"])
    stop.set()
    beside.join(5)

    assert not beside.is_alive()
    assert len(mails(inbox)) == 1


def test_a_lost_database_and_a_lost_server_are_waited_for(cast, settings, inbox, monkeypatch):
    monkeypatch.setattr("mailer.sender.POLL_S", 0.01)
    failures = [OperationalError("gone"), Unreachable("no server")]
    stop, sender = Stop(), Sender(settings)
    send_due = sender.send_due

    def failing(stop):
        if failures:
            raise failures.pop()
        return send_due(stop)

    monkeypatch.setattr(sender, "send_due", failing)
    paid(payout(cast.bob.id))
    beside = threading.Thread(target=sender.run, args=(stop,))
    beside.start()

    until(lambda: settled() == ["sent"])
    stop.set()
    beside.join(5)

    assert len(mails(inbox)) == 1


def until(come, patience_s=10.0):
    end = time.monotonic() + patience_s
    while not come():
        assert time.monotonic() < end
        time.sleep(0.01)


INJECTION = "Bob\r\nBcc: all@example.com\nX-Evil: 1\x00\x1b\u2028"


@pytest.mark.promise(33)
@pytest.mark.parametrize("name", [INJECTION, "<script>alert(1)</script>", "Ж" * 200, "{{ 7 * 7 }}"])
def test_a_name_adds_no_header_and_runs_nowhere(clean, sender, inbox, name):
    paid(payout(added("bob@example.com", name)))

    send_all(sender)

    [mail] = mails(inbox)
    assert not {"Bcc", "X-Evil"} & set(mail.keys())
    assert "<script>" not in part(mail, "html")
    assert "49" not in part(mail, "plain")


@pytest.mark.promise(33)
@pytest.mark.parametrize("currency", [INJECTION, "EUR\r\n\r\nbody"])
def test_no_field_of_a_payout_adds_a_header(cast, sender, inbox, currency):
    paid(payout(cast.bob.id, currency=currency))

    send_all(sender)

    [mail] = mails(inbox)
    assert not {"Bcc", "X-Evil"} & set(mail.keys())
    assert mail.is_multipart()


@pytest.mark.parametrize(
    "address", ["a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "nobody", "<a@b>"]
)
def test_an_address_that_is_none_fails_in_words(clean, sender, inbox, address):
    paid(payout(added(address)))

    send_all(sender)

    assert mails(inbox) == []
    assert "no e-mail address" in rows()[0]["error"]
    assert settled() == ["failed"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("MAIL_SERVER", ""), ("MAIL_USE_TLS", "perhaps"), ("MAIL_PORT", "smtp")],
)
def test_a_wrong_setting_is_named(settings, name, value):
    wrong = type(settings)({**settings.env, name: value})

    with pytest.raises(Misconfigured, match=name):
        Sender(wrong)
