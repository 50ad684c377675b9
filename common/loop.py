"""What relays and consumers have in common: they run until TERM and finish what is in hand."""

import signal
import threading


class Stop(threading.Event):
    """Set by SIGTERM and SIGINT."""

    def on_signals(self) -> "Stop":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.set())
        return self
