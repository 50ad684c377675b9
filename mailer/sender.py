"""Sends what is due, in threads beside the consumer, so that none waits for another."""

import logging
import random
from collections import deque
from datetime import datetime, timedelta
from typing import Literal

from common import clock
from common import log as logs
from common.config import Config
from common.db import LOST
from common.loop import Stop
from mailer import domain, letters
from mailer.letters import Letter
from mailer.message import message_of
from mailer.models import primary
from mailer.smtp import Lost, Never, NotNow, Post, Unreachable, mail_app

log = logging.getLogger("sender")

POLL_S = 0.5
PAUSE_MAX_S = 30.0
EXPIRED = "Its link had expired before the letter could go out."

# A letter takes four steps of up to ten seconds; none is begun that could outlive the lease.
LAST_START = timedelta(seconds=41)


class Sender:
    """One connection to the mail server and a loop that feeds it.  Raises Misconfigured."""

    def __init__(self, settings: Config) -> None:
        self.app = mail_app(settings)
        self.settings = settings
        self.post = Post(self.app.extensions["mail"])
        self.misses = 0

    def run(self, stop: Stop) -> None:
        """Sends until told to stop; what is away is waited for."""
        while not stop.is_set():
            try:
                if not self.send_due(stop):
                    self.post.close()
                    stop.wait(POLL_S)
            except LOST as error:
                log.warning("mailer: %s", str(error).strip().splitlines()[0])
                primary.close_quietly()
                stop.wait(1)
            except Unreachable as error:
                log.warning("%s", error)
                stop.wait(self.pause().total_seconds())
        self.close()

    def close(self) -> None:
        self.post.close()
        primary.close_quietly()

    def send_due(self, stop: Stop | None = None) -> int:
        """One batch has been tried; returns how many letters it had.  Raises Unreachable after
        putting them back if there is no mail server.
        """
        batch = deque(letters.lease(clock.now()))
        count = len(batch)
        with self.app.app_context():
            while batch:
                is_over = stop is not None and stop.is_set()
                if not is_over:
                    self.open(batch)
                now = clock.now()
                if is_over or batch[0].leased_until - now < LAST_START:
                    letters.put_back(batch, until=now, tried=False)
                    break
                self.send(batch.popleft(), batch)
        return count

    def open(self, batch: deque[Letter]) -> None:
        try:
            self.post.open()
            self.misses = 0
        except Unreachable as error:
            self.misses += 1
            now = clock.now()
            until = now + self.pause()
            letters.try_later(batch, now=now, until=until, error=str(error), tried=False)
            raise

    def pause(self) -> timedelta:
        # Without a server no letter is to blame: they are all tried soon after it is back.
        wait = domain.backoff(self.misses, random.random())
        return min(wait, timedelta(seconds=PAUSE_MAX_S))

    def send(self, letter: Letter, rest: deque[Letter]) -> None:
        """The letter is sent, failed, or queued for later, and that is committed: a crash sends no
        more than this one again.
        """
        logs.trace.set(letter.trace)
        if domain.has_expired(letter.about, clock.now()):
            self.note(letter, "failed", EXPIRED)
            return
        try:
            self.post.deliver(message_of(letter, self.settings))
        except (Never, ValueError) as error:
            self.note(letter, "failed", str(error))
        except NotNow as error:
            now = clock.now()
            until = now + domain.backoff(letter.attempts + 1, random.random())
            letters.try_later([letter], now=now, until=until, error=str(error))
            if isinstance(error, Lost):
                self.spare(letter.host, rest, until)
        else:
            self.note(letter, "sent")

    def note(
        self, letter: Letter, state: Literal["sent", "failed"], error: str | None = None
    ) -> None:
        letters.settle(letter, state, now=clock.now(), error=error)
        log.info("letter %s", state, extra={"letter": letter.id, "cause": letter.cause_id})

    def spare(self, host: str, rest: deque[Letter], until: datetime) -> None:
        """One silent mail host must cost a sender ten seconds, not ten for each of its letters."""
        same = [letter for letter in rest if letter.host == host]
        letters.put_back(same, until=until, tried=False)
        letters.postpone_host(host, until)
        for letter in same:
            rest.remove(letter)
