"""One SMTP connection, reused, every step of which ends in time."""

import smtplib
import socket
import ssl
from contextlib import suppress
from typing import Any

from flask import Flask
from flask_mail import Connection, Mail, Message

from common.config import Config
from common.errors import Misconfigured
from common.web import language
from mailer import domain

STEP_S = 10.0
TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class Unreachable(Exception):
    """There is no connection to the mail server, whatever the letter."""


class NotNow(Exception):
    """The letter was not taken and may be later."""


class Lost(NotNow):
    """The connection broke or fell silent half way; nobody knows whether the letter was taken."""


class Never(Exception):
    """The letter was refused for good."""


def switch(settings: Config, name: str) -> bool:
    value = settings.get(name).lower()
    if value not in TRUE + FALSE:
        raise Misconfigured(f"{name} is {value!r} and must be true or false.")
    return value in TRUE


def mail_app(settings: Config) -> Flask:
    """An app with the mailer's templates and Flask-Mail, set as the environment says.  Raises
    Misconfigured.
    """
    app = Flask("mailer")
    for name in ("MAIL_SERVER", "MAIL_DEFAULT_SENDER"):
        app.config[name] = settings.need(name)
    if domain.CONTROL.search(app.config["MAIL_DEFAULT_SENDER"]):
        raise Misconfigured("MAIL_DEFAULT_SENDER must be one line.")
    for name in ("MAIL_USE_TLS", "MAIL_USE_SSL", "MAIL_SUPPRESS_SEND"):
        app.config[name] = switch(settings, name)
    for name in ("MAIL_USERNAME", "MAIL_PASSWORD"):
        app.config[name] = settings.get(name) or None
    app.config["MAIL_PORT"] = settings.integer("MAIL_PORT", 25)
    language.install(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    Mail(app)
    return app


class Post(Connection):
    """Flask-Mail's connection with timeouts, checked certificates, and failures told apart."""

    def open(self) -> None:
        """There is a connection.  Raises Unreachable."""
        if self.host is not None or self.mail.suppress:
            return
        try:
            self.host = self.configure_host()
        except (smtplib.SMTPException, OSError) as error:
            raise Unreachable(f"The mail server does not answer: {reason(error)}") from error

    def configure_host(self) -> Any:
        # A name of our own: smtplib would ask DNS for one, without a timeout.
        address = {"host": self.mail.server, "port": self.mail.port or 25}
        more: dict[str, Any] = {"local_hostname": socket.gethostname(), "timeout": STEP_S}
        if self.mail.use_ssl:
            more["context"] = ssl.create_default_context()
        host = (smtplib.SMTP_SSL if self.mail.use_ssl else smtplib.SMTP)(**address, **more)
        try:
            if self.mail.use_tls:
                host.starttls(context=ssl.create_default_context())
            if self.mail.username and self.mail.password:
                host.login(self.mail.username, self.mail.password)
        except BaseException:
            host.close()
            raise
        return host

    def deliver(self, message: Message) -> None:
        """The server has said 250 to the mail.  Raises NotNow, Lost or Never."""
        try:
            self.send(message)
        except smtplib.SMTPRecipientsRefused as error:
            refuse(*next(iter(error.recipients.values())), error)
        except smtplib.SMTPServerDisconnected as error:
            self.drop()
            raise Lost(reason(error)) from error
        except smtplib.SMTPResponseException as error:
            refuse(error.smtp_code, error.smtp_error, error)
        except (smtplib.SMTPException, OSError) as error:
            self.drop()
            raise Lost(reason(error)) from error
        finally:
            # smtplib hangs up by itself, after 421 for one.
            if self.host is not None and getattr(self.host, "sock", None) is None:
                self.host = None

    def drop(self) -> None:
        """Hung up without a word."""
        if self.host is not None:
            self.host.close()
            self.host = None

    def close(self) -> None:
        """Hung up politely.  What goes wrong now concerns no letter."""
        if self.host is not None:
            with suppress(smtplib.SMTPException, OSError):
                self.host.quit()
            self.drop()


def refuse(code: int, answer: bytes | str, error: Exception) -> None:
    """Raises Never for a 5xx, NotNow for any other answer."""
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    sentence = domain.one_line(f"{code} {text}")[:500]
    raise (Never if code >= 500 else NotNow)(sentence) from error


def reason(error: Exception) -> str:
    return domain.one_line(str(error))[:500] or type(error).__name__
