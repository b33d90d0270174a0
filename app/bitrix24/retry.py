"""The one place where calls are repeated.

Used by the client around each call. Decides from the error and the kind of the method:

    not executed for sure (503, 429, no connection)   repeat, whatever the method
    perhaps executed (5xx, timeout, connection lost)  repeat reads and idempotent writes; for the rest look first;
                                                      a call that is meant for `once` ends as OutcomeUnknown
    Permanent, Closed, Late, OutcomeUnknown           never

Limits are waited out by the bucket and the ledger, so a call refused by them goes straight back to the head of
the queue and is not counted against its attempts; only `patience` ends it. Counted per call, never globally.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import tenacity

from app.bitrix24.errors import (
    BatchRefused,
    Bitrix24Error,
    Closed,
    Late,
    OperatingLimited,
    OutcomeUnknown,
    RateLimited,
    Temporary,
)
from app.bitrix24.lineup import Command
from app.bitrix24.methods import Kind, kind_of
from app.bitrix24.protocol import Answer
from app.bitrix24.stats import Clock, Stats

Look = Callable[[], Awaitable[Any | None]]
"""Finds what a creating call would have created; None when it is not there. Its value becomes the call's result."""

Submit = Callable[[Command], Awaitable[Answer]]
Sleep = Callable[[float], Awaitable[None]]
_LIMITS: Final = (RateLimited, OperatingLimited)
_jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Bounds of repeating; seconds.

    `attempts` counts faults, the first try included. `patience` bounds waiting for limits. `settle` is how long a
    request whose connection broke may still be running at the portal before we trust that it created nothing.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    patience: float = 1800.0
    settle: float = 5.0


class Retrying:
    """Repeats calls of one client by one policy."""

    def __init__(self, submit: Submit, policy: RetryPolicy, *, clock: Clock, sleep: Sleep, stats: Stats) -> None:
        self._submit = submit
        self._policy = policy
        self._clock = clock
        self._sleep = sleep
        self._stats = stats

    async def run(self, command: Command, look: Look | None) -> Answer:
        """The answer of the call, or the error it finally ended with."""
        started = self._clock()
        try:  # nearly every call ends here, and entering the loop costs more than the call
            return await self._once(command, look)
        except Temporary as error:
            if not _repeatable(error):
                raise
            first = error
        return await self._repeat(command, look, first, started=started)

    async def _repeat(self, command: Command, look: Look | None, first: Temporary, *, started: float) -> Answer:
        faults, had = 0, [first]

        def stop(state: tenacity.RetryCallState) -> bool:
            nonlocal faults
            if isinstance(_error(state), _LIMITS):
                return self._clock() - started >= self._policy.patience
            faults += 1
            return faults >= self._policy.attempts

        def wait(state: tenacity.RetryCallState) -> float:
            if isinstance(_error(state), (*_LIMITS, BatchRefused)):
                return 0.0
            longest = min(self._policy.first_wait * 2 ** (faults - 1), self._policy.longest_wait)
            return longest * _jitter.uniform(0.5, 1.0)

        async def attempt() -> Answer:
            if had:
                raise had.pop()
            return await self._once(command, look)

        loop = tenacity.AsyncRetrying(
            sleep=self._sleep,
            stop=stop,
            wait=wait,
            retry=tenacity.retry_if_exception(_repeatable),
            before_sleep=self._count,
            reraise=True,
        )
        return await loop(attempt)

    async def _once(self, command: Command, look: Look | None) -> Answer:
        try:
            return await self._submit(command)
        except Temporary as error:
            repeatable = kind_of(command.method) is not Kind.CREATING and not command.once
            if not error.may_have_run or repeatable:
                raise
            lost = error
        if look is None:
            raise self._unknown(command, lost)
        found = await self._look_twice(command, look, lost)
        if found is None:
            raise lost
        return Answer(result=found)

    async def _look_twice(self, command: Command, look: Look, lost: Temporary) -> Any | None:
        """At once, and again when the request must have ended; an error while looking leaves the outcome open."""
        try:
            found = await look()
            if found is None:
                await self._sleep(self._policy.settle)
                found = await look()
        except Bitrix24Error:
            raise self._unknown(command, lost) from None
        return found

    def _unknown(self, command: Command, lost: Temporary) -> OutcomeUnknown:
        detail = f"Sent, but the answer was lost ({lost.detail})"
        return OutcomeUnknown(detail, method=command.method, code=lost.code, status=lost.status)

    def _count(self, _: tenacity.RetryCallState) -> None:
        self._stats.retries += 1


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


def _repeatable(error: BaseException) -> bool:
    return isinstance(error, Temporary) and not isinstance(error, Closed | Late | OutcomeUnknown)
