"""The portal's request bucket, kept on our side so that we never pour over its rim.

docs `limits`: every HTTP request adds 1, the counter drops by 2 a second (5 on Enterprise), above 50 (250) comes
503. The portal counts per source address, so all our processes share one bucket: `Bucket` is the seam for a
shared one, `LocalBucket` serves one process. Used by the batcher. Must not know what the requests are.
"""

import math
import time
from collections.abc import Callable
from typing import Protocol


def margin(requests_per_second: float) -> int:
    """Slots never used: the portal may drain in whole-second steps, and requests bunch up on the way."""
    return math.ceil(requests_per_second) + 1


class Bucket(Protocol):
    """Request slots of one portal."""

    async def take(self, *, held_back: int) -> float:
        """Take one slot: 0.0 when it is ours, else the seconds to wait before asking again.

        `held_back` slots are to be left for more urgent callers.
        """
        ...

    async def overflowed(self) -> None:
        """The portal answered 503: somebody else pours too; count the bucket as full."""
        ...


class LocalBucket:
    """A leaking bucket for one process. `clock` gives monotonic seconds."""

    def __init__(
        self,
        *,
        requests_per_second: float = 2.0,
        burst: int = 50,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if requests_per_second <= 0 or burst < 1:
            raise ValueError("a bucket needs a positive rate and room for one request")
        self._rate = requests_per_second
        self._burst = float(burst)
        self._room = float(max(1, burst - margin(requests_per_second)))
        self._clock = clock
        self._level = 0.0
        self._at = clock()

    def __repr__(self) -> str:
        return f"LocalBucket({self._rate:g}/s, burst {self._burst:g}, level {self._level:.1f})"

    async def take(self, *, held_back: int) -> float:
        """See `Bucket.take`."""
        self._drain()
        room = max(1.0, self._room - held_back)
        over = self._level + 1.0 - room
        if over > 1e-9:
            return over / self._rate
        self._level += 1.0
        return 0.0

    async def overflowed(self) -> None:
        """See `Bucket.overflowed`."""
        self._drain()
        self._level = self._burst

    def _drain(self) -> None:
        now = self._clock()
        self._level = max(0.0, self._level - max(0.0, now - self._at) * self._rate)
        self._at = now
