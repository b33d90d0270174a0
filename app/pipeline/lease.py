"""How long this process may believe that its cards are its own.

A process that its machine stopped for a while, or that could not tell the database that it lives, finds its cards given
to another worker when it goes on. What it had still to send then must not go out: the other may have done it by now.
Built by the worker; the queue tells it of heartbeats, the clients ask it.
"""

from collections.abc import Callable


class Lease:
    """Numbers the stretches of time in which the worker showed without a break that it lives.

    `seconds`: the longest silence that nobody takes for death, by `clock`, which must go on while the process stands.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen = clock()
        self._number = 0

    def number(self) -> int:
        """The present stretch: what was begun in another one is no longer ours to go on with."""
        now = self._clock()
        if now - self._seen > self._seconds:
            self._number += 1
            self._seen = now
        return self._number

    def beat(self, began: float) -> None:
        """A heartbeat that began then, by the clock, has been written."""
        self.number()
        self._seen = max(self._seen, began)
