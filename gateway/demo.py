"""The people of the demo company."""

import os
from datetime import datetime
from pathlib import Path

from common import config
from gateway import actions
from gateway.forms import NewUser
from gateway.models import primary

PASSWORD = "exchange-demo"
PEOPLE = (
    ("Ada Okonkwo", "admin"),
    ("Mateo Vargas", "manager"),
    ("Ingrid Solberg", "accountant"),
    ("Amélie Laurent", "worker"),
    ("Björn Lindqvist", "worker"),
    ("Chiara Romano", "worker"),
    ("Dmytro Kovalenko", "worker"),
    ("Emeka Nwosu", "worker"),
    ("Fatima Zahra Bennani", "worker"),
    ("Grace Kim", "worker"),
    ("Hiroshi Tanaka", "worker"),
    ("Isabel Ferreira", "worker"),
    ("Jakub Nowak", "worker"),
    ("Leila Haddad", "worker"),
    ("Priya Raghavan", "worker"),
)
PLAIN = str.maketrans("éö", "eo")


def email_of(name: str) -> str:
    return f"{name.split()[0].lower().translate(PLAIN)}@example.com"


def play(step: int, phase: str, moment: datetime) -> None:
    """On the first morning everybody has access; who has it already is left as they are."""
    if (step, phase) != (0, "morning"):
        return
    for name, role in PEOPLE:
        if not primary.value("SELECT 1 FROM person WHERE lower(email) = %s", email_of(name)):
            actions.add_user(NewUser(email_of(name), name, role, PASSWORD), now=moment)
    write_logins(config.current().get("EXCHANGE_STATE"))


def write_logins(folder: str) -> None:
    """`<folder>/demo-logins.txt` says how to sign in."""
    if not folder:
        return
    lines = [f"{role:<11} {email_of(name):<22} {name}" for name, role in PEOPLE]
    text = "\n".join([f"Everybody's password is {PASSWORD}", "", *lines, ""])
    path = Path(folder) / "demo-logins.txt"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
