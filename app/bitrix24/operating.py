"""The run time each method has used up at the portal, and how much more of it we may ask for now.

docs `limits`: the portal sums the run time of each method per webhook over ten one-minute baskets; once the sum is
above 480 s the next call of that method gets 429 until the oldest basket leaves at `operating_reset_at`.
`operating` in an answer is that sum, not the cost of the call: it is believed as shown, never added up.

Used by the lineup (how many commands of a method may go) and the batcher (what came back). Learns what a command
costs as it goes. Several processes need no shared ledger: each answer shows every one of them the common sum.
Must not send anything.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.bitrix24.lanes import Lane
from app.bitrix24.protocol import Time

LIMIT: Final = 480.0
WINDOW: Final = 600.0
BASKET: Final = 60.0
_SHARE: Final = {Lane.HOT: 0.99, Lane.NORMAL: 0.95, Lane.BACKGROUND: 0.9}
"""How much of the limit each lane may use up: the hot lane still moves when the others wait."""
_LEARNING: Final = 0.3
_CHEAPEST: Final = 0.0005
_EVERYTHING: Final = 1_000_000


@dataclass(slots=True)
class _Account:
    """What we know of one method; times are on our monotonic clock."""

    seconds: float = 0.0
    charge: float = 0.0
    shown: float = 0.0
    shown_at: float = 0.0
    reset_at: float | None = None
    closed_until: float = 0.0
    in_flight: int = 0
    since_reading: int = 0

    @property
    def cost(self) -> float:
        """What one command adds to the sum: as readings show it, else the time it took."""
        return max(self.charge or self.seconds, _CHEAPEST)


class OperatingLedger:
    """Accounts of all methods called through one webhook. `limit` and `window` in seconds."""

    def __init__(
        self,
        *,
        limit: float = LIMIT,
        window: float = WINDOW,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._limit = limit
        self._window = window
        self._basket = BASKET * window / WINDOW
        self._clock = clock
        self._wall = wall
        self._accounts: dict[str, _Account] = {}

    def seconds(self, method: str) -> float:
        """What one command of this method takes, as learned; 0.0 when nothing is known yet."""
        account = self._accounts.get(method)
        return account.seconds if account else 0.0

    def room(self, method: str, lane: Lane) -> int:
        """How many commands of this method may be sent now without passing the lane's share of the limit."""
        account = self._accounts.get(method)
        if account is None:
            return _EVERYTHING
        now = self._clock()
        if now < account.closed_until:
            return 0
        if now >= account.shown_at + self._window:
            account.shown = 0.0
        cost = account.cost
        free = self._limit * _SHARE[lane] - account.shown - account.in_flight * cost
        if free >= cost:
            return int(free / cost)
        # Full by what we last saw. After the reset some unknown part has left the sum: one command will tell.
        return 1 if now >= self._due(account) and account.in_flight == 0 else 0

    def opens_in(self, method: str, lane: Lane) -> float | None:
        """Seconds until a shut method opens by time alone; 0.0 when it is open, None when only an answer can tell."""
        account = self._accounts.get(method)
        if account is None or self.room(method, lane) > 0:
            return 0.0
        now = self._clock()
        if now < account.closed_until:
            return account.closed_until - now
        if account.in_flight:
            return None
        return max(0.001, self._due(account) - now)

    def sent(self, method: str, count: int) -> None:
        """`count` commands of the method are on their way."""
        self._account(method).in_flight += count

    def back(self, method: str, count: int) -> None:
        """They came back, whatever became of them."""
        account = self._account(method)
        account.in_flight = max(0, account.in_flight - count)
        account.since_reading += count

    def learn(self, method: str, seconds: float) -> None:
        """One command of the method took this long."""
        account = self._account(method)
        known = account.seconds > 0
        account.seconds += (seconds - account.seconds) * (_LEARNING if known else 1.0)

    def read(self, method: str, told: Time) -> None:
        """Believe the sum an answer shows."""
        if told.operating is None:
            return
        account, now = self._account(method), self._clock()
        reset_at = self._reset_at(told, now)
        moved = reset_at is not None and account.reset_at is not None and reset_at > account.reset_at + 1.0
        over = account.reset_at is None or now >= account.reset_at
        if told.operating < account.shown and not (moved or over):
            return  # an older answer that arrived late
        if told.operating > account.shown and account.since_reading > 0:
            sample = (told.operating - account.shown) / account.since_reading
            account.charge += (sample - account.charge) * (_LEARNING if account.charge else 1.0)
        account.shown, account.shown_at, account.since_reading = told.operating, now, 0
        account.reset_at = reset_at

    def close(self, method: str, reset_in: float | None = None) -> float:
        """The portal answered 429: nothing of this method until the oldest basket leaves. Gives the seconds."""
        account, now = self._account(method), self._clock()
        reset_at = account.reset_at if reset_in is None else now + min(reset_in, self._window + self._basket)
        if reset_at is None or reset_at <= now:
            reset_at = now + self._basket
        account.closed_until = max(account.closed_until, reset_at)
        return account.closed_until - now

    def _account(self, method: str) -> _Account:
        account = self._accounts.get(method)
        if account is None:
            account = self._accounts[method] = _Account(shown_at=self._clock())
        return account

    def _due(self, account: _Account) -> float:
        return account.reset_at if account.reset_at is not None else account.shown_at + self._basket

    def _reset_at(self, told: Time, now: float) -> float | None:
        """The portal's reset on our clock: by its own idea of now where it says it, so its clock may be wrong."""
        if told.reset_at is None:
            return None
        portal_now = told.finish if told.finish is not None else self._wall()
        least, most = self._basket / 60, self._window + self._basket
        return now + min(max(told.reset_at - portal_now, least), most)
