"""One request to the portal: the calls it carries go in, what became of each comes out.

Called by the batcher with the commands of one request. Writes the body, reads the answer, and tells the bucket, the
ledger and the counters what was seen. Must not choose, wait or repeat.
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.bitrix24 import encoding, protocol
from app.bitrix24.errors import Bitrix24Error, OperatingLimited, RateLimited, Temporary
from app.bitrix24.lanes import Lane
from app.bitrix24.limiter import Bucket
from app.bitrix24.lineup import Command
from app.bitrix24.masking import mask
from app.bitrix24.operating import OperatingLedger
from app.bitrix24.protocol import BATCH, Answer, BatchAnswer
from app.bitrix24.stats import Clock, Observer, RequestSeen, Stats

Send = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
"""POST a JSON body to a method: gives HTTP status and body, raises `Unreachable` or `ServerFault`."""

Outcome = Answer | Bitrix24Error
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The way to one portal and everybody who learns from its answers."""

    send: Send
    bucket: Bucket
    ledger: OperatingLedger
    stats: Stats
    clock: Clock
    observe: Observer | None = None

    async def run(self, lane: Lane, commands: Sequence[Command]) -> Sequence[Outcome]:
        """One outcome for each command, in order. Never raises an error of the portal."""
        started, ended_as = self.clock(), "ok"
        self.stats.requests += 1
        self.stats.commands += len(commands)
        try:
            answer = await self._post(commands)
        except Bitrix24Error as error:
            ended_as = type(error).__name__
            await self._whole_failure(error, commands, seconds=self.clock() - started)
            outcomes: Sequence[Outcome] = [_for_command(error, command) for command in commands]
        else:
            outcomes = answer.outcomes
            self._learn(commands, answer, seconds=self.clock() - started)
        finally:
            for command in commands:
                self.ledger.back(command.method, 1)
        if self.observe is not None:
            methods = tuple(command.method for command in commands)
            self.observe(RequestSeen(lane, methods, self.clock() - started, ended_as))
        return outcomes

    async def _post(self, commands: Sequence[Command]) -> BatchAnswer:
        first = commands[0]
        if len(commands) == 1:
            status, content = await self.send(first.method, encoding.body(first.params))
            answer = protocol.read_answer(status, content, method=first.method)
            return BatchAnswer((answer,), answer.time)
        status, content = await self.send(BATCH, protocol.batch_body([one.text or one.method for one in commands]))
        return protocol.read_batch(status, content, [one.method for one in commands])

    async def _whole_failure(self, error: Bitrix24Error, commands: Sequence[Command], *, seconds: float) -> None:
        match error:
            case RateLimited():
                self.stats.rate_limited += 1
                await self._overflow()
            case OperatingLimited():
                self.stats.operating_limited += 1
                self.ledger.close(BATCH if len(commands) > 1 else commands[0].method, error.reset_in)
            case Temporary():
                self.stats.faults += 1
                if error.may_have_run:  # perhaps too much for one request: ask for less next time
                    self._learn_seconds(commands, [seconds / len(commands)] * len(commands))
            case _:
                pass

    async def _overflow(self) -> None:
        """A shared bucket that cannot be told does not change what became of the calls."""
        try:
            await self.bucket.overflowed()
        except Exception as error:  # noqa: BLE001 - whatever a shared bucket fails with
            _log.warning("the request bucket could not be told of a 503: %s", mask(repr(error)))

    def _learn(self, commands: Sequence[Command], answer: BatchAnswer, *, seconds: float) -> None:
        share = seconds / len(commands)
        told = [one.time.duration if isinstance(one, Answer) else None for one in answer.outcomes]
        self._learn_seconds(commands, [share if duration is None else duration for duration in told])
        shown = {
            command.method: outcome.time
            for command, outcome in zip(commands, answer.outcomes, strict=True)
            if isinstance(outcome, Answer) and outcome.time.operating is not None
        }
        for method, time in shown.items():
            self.ledger.read(method, time)
        if len(commands) > 1 and not shown:
            self.ledger.read(BATCH, answer.time)  # a portal that books the batch itself
        for command, outcome in zip(commands, answer.outcomes, strict=True):
            if isinstance(outcome, OperatingLimited):
                self.stats.operating_limited += 1
                self.ledger.close(command.method, outcome.reset_in)

    def _learn_seconds(self, commands: Sequence[Command], seconds: Sequence[float]) -> None:
        by_method: defaultdict[str, list[float]] = defaultdict(list)
        for command, taken in zip(commands, seconds, strict=True):
            by_method[command.method].append(taken)
        for method, taken in by_method.items():
            self.ledger.learn(method, sum(taken) / len(taken))


def _for_command(error: Bitrix24Error, command: Command) -> Bitrix24Error:
    twin = error.again()
    twin.method = command.method
    return twin
