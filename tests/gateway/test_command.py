"""`exchange user add`, and the people of the demo."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner

from common.cli import main
from gateway import cli, demo
from gateway.models import primary

GUS = ["user", "add", "gus@example.com", "--name", "Gus", "--role", "worker"]


def test_a_person_is_added_and_everybody_has_heard_of_them(pump, clean):
    is_over = threading.Event()

    def keep_pumping():
        while not is_over.wait(0.05):
            pump()

    thread = threading.Thread(target=keep_pumping)
    thread.start()

    result = CliRunner().invoke(main, [*GUS, "--password-stdin"], input="long enough\n")

    is_over.set()
    thread.join()
    person = primary.row("SELECT id, name, password_hash FROM person")
    assert (result.exit_code, result.stderr) == (0, "")
    assert UUID(result.stdout.strip()) == person["id"]
    assert person["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_weak_password_from_the_terminal_is_warned_of(clean, monkeypatch):
    monkeypatch.setattr(cli, "WAIT_S", 0)

    result = CliRunner().invoke(main, [*GUS, "--password-stdin"], input="password1\n")

    assert result.exit_code == 0
    assert "Warning: A password has 10 to 128 characters" in result.stderr
    assert primary.value("SELECT password_hash IS NOT NULL FROM person")


def test_services_that_do_not_listen_are_named(clean, monkeypatch):
    monkeypatch.setattr(cli, "WAIT_S", 0.2)

    result = CliRunner().invoke(main, GUS)

    assert result.exit_code == 0
    assert "tracker and accounting and mailer have not heard of gus@example.com" in result.stderr
    assert primary.value("SELECT password_hash IS NULL FROM person")


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [
        (["user", "add", "gus", "--name", "Gus", "--role", "worker"], "an e-mail address", 1),
        (["user", "add", "g@x", "--name", "Gus", "--role", "king"], "king", 2),
        ([*GUS, "--password-stdin"], "8 to 128", 1),
    ],
)
def test_what_cannot_be_done_is_one_sentence(clean, arguments, words, status):
    result = CliRunner().invoke(main, arguments, input="short\n")

    assert result.exit_code == status
    assert words in result.stderr
    assert primary.value("SELECT count(*) FROM person") == 0


def test_the_same_address_twice_is_refused(clean, monkeypatch):
    monkeypatch.setattr(cli, "WAIT_S", 0)
    CliRunner().invoke(main, GUS)

    result = CliRunner().invoke(main, GUS)

    assert result.exit_code == 1
    assert result.stderr == "Error: Somebody has this e-mail address already.\n"


def test_the_demo_company_is_there_once(clean, settings, browser):
    moment = datetime(2026, 5, 1, 9, tzinfo=UTC)

    demo.play(0, "morning", moment)
    demo.play(0, "morning", moment)
    demo.play(1, "morning", moment)

    roles = primary.rows("SELECT role, count(*) AS n FROM person GROUP BY role")
    logins = (Path(settings.need("EXCHANGE_STATE")) / "demo-logins.txt").read_text()
    assert {row["role"]: row["n"] for row in roles} == {
        "worker": 12,
        "accountant": 1,
        "manager": 1,
        "admin": 1,
    }
    assert "amelie@example.com" in logins
    assert browser().sign_in("ada@example.com", demo.PASSWORD).status_code == 200


def test_a_relay_starts_without_flask():
    code = "import sys, gateway.cli; sys.exit('flask' in sys.modules or 'rq' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
