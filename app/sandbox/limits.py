"""The portal's limits: the leaky bucket over requests and the `operating` ledger over methods.

Called by `rest`. Docs: `limits`. Ticks (seconds, monotonic) and stamps (unix seconds) come from the caller.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NO_COSTS: Mapping[str, float] = MappingProxyType({})
_WINDOW = 600.0
_BUCKET = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """What a portal allows and what its methods cost.

    burst and requests_per_second: threshold X and drain Y of the request counter.
    operating_seconds: run time a method may use in ten minutes; request_seconds: one request's run time.
    cost, costs: simulated seconds a command takes, by default and by method. They are always booked to
    `operating`; with real_time they are also waited for before the answer leaves.
    """

    requests_per_second: float = 2
    burst: int = 50
    enforced: bool = True
    operating_seconds: float = 480
    request_seconds: float = 60
    cost: float = 0.005
    costs: Mapping[str, float] = field(default_factory=lambda: _NO_COSTS)
    real_time: bool = True

    def cost_of(self, method: str) -> float:
        return self.costs.get(method, self.cost)


class LeakyBucket:
    """Every request adds one; the counter drains; above the threshold the request is refused."""

    def __init__(self) -> None:
        self._level = 0.0
        self._at: float | None = None

    def admit(self, limits: Limits, ticks: float) -> bool:
        if self._at is not None:
            self._level = max(0.0, self._level - (ticks - self._at) * limits.requests_per_second)
        self._at = ticks
        if self._level + 1 > limits.burst:
            return False
        self._level += 1
        return True


@dataclass(slots=True)
class _Minute:
    number: int
    opened: float
    spent: float


class OperatingLedger:
    """Run time per method in ten one-minute buckets; a bucket leaves ten minutes after its first call."""

    def __init__(self) -> None:
        self._methods: dict[str, deque[_Minute]] = {}

    def spent(self, method: str, stamp: float) -> float:
        minutes = self._methods.get(method)
        if not minutes:
            return 0.0
        while minutes and minutes[0].opened + _WINDOW <= stamp:
            minutes.popleft()
        return sum(minute.spent for minute in minutes)

    def book(self, method: str, seconds: float, stamp: float) -> float:
        """Add run time; returns the accumulated sum that the answer shows as `operating`."""
        minutes = self._methods.setdefault(method, deque())
        number = int(stamp // _BUCKET)
        if minutes and minutes[-1].number == number:
            minutes[-1].spent += seconds
        else:
            minutes.append(_Minute(number, stamp, seconds))
        return self.spent(method, stamp)

    def reset_at(self, method: str, stamp: float) -> int:
        """When the oldest bucket leaves; for a method never called, ten minutes from now."""
        self.spent(method, stamp)
        minutes = self._methods.get(method)
        return int((minutes[0].opened if minutes else stamp) + _WINDOW)

    def totals(self, stamp: float) -> dict[str, float]:
        return {method: self.spent(method, stamp) for method in self._methods}
