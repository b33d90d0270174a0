"""What a client has done so far, for metrics and benchmarks.

`Stats` is counted by the batcher and read as `client.stats`; an `Observer` is told of each request as it ends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from app.bitrix24.lanes import Lane


@dataclass(slots=True)
class Stats:
    """Counters since the client was made. `commands` counts calls inside batches one by one."""

    requests: int = 0
    commands: int = 0
    rate_limited: int = 0
    operating_limited: int = 0
    faults: int = 0
    retries: int = 0
    loads: int = 0
    loads_joined: int = 0
    renames: int = 0


@dataclass(frozen=True, slots=True)
class RequestSeen:
    """One HTTP request: who it was for, how many commands it held, how long it took, how it ended."""

    lane: Lane
    methods: tuple[str, ...]
    seconds: float
    outcome: str
    """`ok`, or the name of the error class the whole request ended with."""


class Observer(Protocol):
    """Told of every request. Must be quick and must not raise."""

    def __call__(self, seen: RequestSeen, /) -> None:
        """One request ended."""
        ...


Clock = Callable[[], float]
