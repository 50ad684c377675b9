"""What relays, consumers and jobs have in common: at TERM they finish what is in hand."""

import signal
import threading


class Stop(threading.Event):
    """Set by SIGTERM and SIGINT."""

    def on_signals(self) -> "Stop":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.set())
        return self


# Of the job in this process: set, it ends after the batch in hand; its row says where to go on.
job = Stop()
