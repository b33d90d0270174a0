"""A portal whose clock the test turns, without limits unless a test sets them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from app.sandbox.limits import Limits
from app.sandbox.portal import SandboxPortal


@dataclass
class TurnedClock:
    """Wall time and ticks that move only when told."""

    now: datetime = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
    elapsed: float = 0.0

    def __call__(self) -> datetime:
        return self.now

    def ticks(self) -> float:
        return self.elapsed

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.elapsed += seconds


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def portal(clock: TurnedClock) -> SandboxPortal:
    return SandboxPortal(clock=clock, ticks=clock.ticks, limits=Limits(enforced=False, real_time=False))


Caller = Callable[..., object]


@pytest.fixture
def call(portal: SandboxPortal) -> Caller:
    """One REST call; the `result`, or an AssertionError with the body."""

    def one(method: str, **params: object) -> object:
        answer = portal.call(method, params)
        assert answer.status == 200, answer.body
        return answer.body["result"]

    return one


@pytest.fixture
def refusal(portal: SandboxPortal) -> Caller:
    """One REST call that must be refused: (status, code, text)."""

    def one(method: str, **params: object) -> object:
        answer = portal.call(method, params)
        assert "error" in answer.body, answer.body
        return answer.status, answer.body["error"], answer.body["error_description"]

    return one
