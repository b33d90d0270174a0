"""Sends waiting calls: one request slot at a time, as many calls as fit, the most urgent first.

One task per client (`_pump`) waits until somebody has something to say, lingers two milliseconds so that calls made
together travel together, takes a slot of the bucket, and only then lets the lineup choose. A lone call goes as
itself, several as a `batch`. What comes back settles each call by its own outcome; a failed call is the caller's to
repeat (`retry`), so that retries live in one place.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.bitrix24.errors import BatchRefused, Bitrix24Error, Closed, Late, Unreachable
from app.bitrix24.exchange import Exchange, Outcome
from app.bitrix24.lanes import Lane
from app.bitrix24.lineup import Command, Lineup
from app.bitrix24.methods import Kind, kind_of
from app.bitrix24.protocol import Answer

_FREQUENT_SECONDS: Final = 10.0
_SHORTEST_WAIT: Final = 0.001
_BURST_SECONDS: Final = 60.0
_NOT_IN_BATCH: Final = "ERROR_BATCH_METHOD_NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class Pace:
    """How calls are bundled and spread; seconds.

    `in_flight` requests that write at a time (portals were seen to fail under more), `reads_in_flight` in all;
    the last place of both is for the hot lane, and `held_back` slots of the bucket too.
    A request is made to last `target_seconds` at most by what its commands are known to take. From
    `hot_frequent` hot requests a second on, others' calls ride along with them for `hot_seconds`; when hot calls
    themselves had to wait for a slot, for `short_seconds`. From `hot_calls` hot calls a second on it is a burst: many
    cards at once, whose next calls are about to come, so a request that is not full yet waits up to `gather` seconds
    for them instead of spending a slot on a few, and others' calls fill what is left of it. That many calls must
    really be about to come: each one on its way, or answered less than `thinking` ago, is taken for one.
    """

    in_flight: int = 4
    reads_in_flight: int = 9
    held_back: int = 4
    linger: float = 0.002
    target_seconds: float = 5.0
    hot_seconds: float = 0.03
    short_seconds: float = 0.25
    hot_frequent: float = 1.0
    hot_calls: float = 10.0
    gather: float = 1.0
    thinking: float = 0.25


class Batcher:
    """The sender of one portal."""

    def __init__(self, exchange: Exchange, pace: Pace, epoch: Callable[[], int]) -> None:
        """`epoch`: calls of an earlier one are not sent any more."""
        self._exchange = exchange
        self._epoch = epoch
        self._pace = pace
        self._lineup = Lineup(exchange.ledger, target_seconds=pace.target_seconds)
        self._changed = asyncio.Event()
        self._pump_task: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._writing = 0
        self._hot_sent: deque[float] = deque()
        self._hot_waited = False
        self._spare_slot = False
        self._hot_calls: deque[float] = deque()
        self._hot_under_way = 0
        self._hot_landed: deque[float] = deque()
        self._burst_until = float("-inf")
        self._closed = False

    async def submit(self, command: Command) -> Answer:
        """One attempt of one call: its answer, or the error it ended with."""
        if self._closed:
            raise Closed("The client is closed", method=command.method)
        if self._pump_task is None:
            self._pump_task = asyncio.create_task(self._pump(), name="bitrix24-pump")
            self._pump_task.add_done_callback(self._pump_ended)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        command.answer = answer
        self._lineup.add(command)
        self._changed.set()
        return await answer

    async def aclose(self) -> None:
        """Stop sending; calls still waiting or in flight end with `Closed`."""
        self._closed = True
        tasks = [*self._requests, *([self._pump_task] if self._pump_task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for command in self._lineup.drain():
            _settle(command, Closed("The client was closed before the call was sent", method=command.method))

    async def _pump(self) -> None:
        while True:
            self._changed.clear()
            following = self._next_lane()
            if following is None:
                await self._wait(self._lineup.opens_in())
                await asyncio.sleep(self._pace.linger)
                continue
            if self._bursting():
                await self._gather()
            delay = await self._slot(following[0])
            if delay > 0:
                self._hot_waited |= following[0] is Lane.HOT
                await self._wait_for_slot(following[0], delay)
            else:
                self._launch(*(self._next_lane() or following))

    def _pump_ended(self, task: "asyncio.Task[None]") -> None:
        """The bucket failed (a shared one may): nobody is left waiting, and the next call starts anew."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._pump_task = None
        for command in self._lineup.drain():
            detail = f"No request slot could be had ({type(error).__name__}: {error})"
            _settle(command, Unreachable(detail, method=command.method))

    def _next_lane(self) -> tuple[Lane, bool] | None:
        """The most urgent lane that may go; True where only a request that reads has a place."""
        return next(((lane, bool(self._busy(lane))) for lane in Lane if self._may_go(lane)), None)

    def _may_go(self, lane: Lane) -> bool:
        """Whether the lane has something to send and a place in flight for it."""
        reads_only = self._busy(lane)
        return reads_only is not None and self._lineup.ready(lane, reads_only=reads_only)

    def _busy(self, lane: Lane) -> bool | None:
        """False: any request of the lane has a place. True: one that only reads. None: none has."""
        kept = 0 if lane is Lane.HOT else 1
        if len(self._requests) >= self._pace.reads_in_flight - kept:
            return None
        return self._writing >= max(1, self._pace.in_flight - kept)

    async def _slot(self, lane: Lane) -> float:
        if self._spare_slot:
            self._spare_slot = False
            return 0.0
        return await self._exchange.bucket.take(held_back=self._held_back(lane))

    def _held_back(self, lane: Lane) -> int:
        """The end of a backlog may use the slots held back, all but one, where no hot call came lately.

        It would wait for them with nobody there to need them; a backlog that goes on leaves them alone.
        """
        if lane is Lane.HOT:
            return 0
        held_back = self._pace.held_back
        hot_lately = bool(self._hot_sent) and self._hot_sent[-1] >= self._exchange.clock() - _FREQUENT_SECONDS
        ending = len(self._lineup) <= held_back * self._lineup.largest
        return min(1, held_back) if ending and not hot_lately else held_back

    async def _wait(self, seconds: float | None) -> None:
        """Until something changed, or so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds is None else max(seconds, _SHORTEST_WAIT)):
                await self._changed.wait()

    async def _wait_for_slot(self, lane: Lane, delay: float) -> None:
        """So many seconds; a hot call cuts it short, as other slots are open to it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(delay, _SHORTEST_WAIT)):
                while lane is Lane.HOT or not self._may_go(Lane.HOT):
                    self._changed.clear()
                    await self._changed.wait()

    def _launch(self, lane: Lane, reads_only: bool) -> None:
        fill = self._fill_seconds() if lane is Lane.HOT else 0.0
        chosen = self._lineup.choose(lane, fill_seconds=fill, reads_only=reads_only)
        commands = [command for command in chosen if self._may_be_sent(command)]
        if not commands:
            self._spare_slot = True
            return
        hot = sum(command.lane is Lane.HOT for command in commands)
        self._hot_calls.extend([self._exchange.clock()] * hot)
        self._hot_under_way += hot
        writes = any(kind_of(command.method) is not Kind.READ for command in commands)
        self._writing += writes
        task = asyncio.create_task(self._request(lane, commands), name="bitrix24-request")
        self._requests.add(task)
        task.add_done_callback(lambda done: self._landed(done, writes=writes, hot=hot))

    def _may_be_sent(self, command: Command) -> bool:
        """False for what waited until it was too late; it ends as not sent.

        Reads are harmless, and may go out even when we lost the right to write.
        """
        lost: Bitrix24Error | None = None
        if command.epoch != self._epoch() and kind_of(command.method) is not Kind.READ:
            said = "Not sent: this process stood still for so long that another may have done it"
            lost = Closed(said, method=command.method)
        elif command.send_by is not None and self._exchange.clock() > command.send_by:
            lost = Late("Not sent: it had to wait for too long", method=command.method)
        if lost is None:
            return True
        self._exchange.ledger.back(command.method, 1)
        _settle(command, lost)
        return False

    def _landed(self, task: "asyncio.Task[None]", *, writes: bool, hot: int) -> None:
        self._requests.discard(task)
        self._writing -= writes
        self._hot_under_way -= hot
        self._hot_landed.extend([self._exchange.clock()] * hot)
        self._changed.set()

    def _bursting(self) -> bool:
        """Whether hot calls come in bulk, or did a moment ago: what follows a burst comes in bulk as well."""
        now = self._exchange.clock()
        while self._hot_calls and self._hot_calls[0] < now - _FREQUENT_SECONDS:
            self._hot_calls.popleft()
        if len(self._hot_calls) > self._pace.hot_calls * _FREQUENT_SECONDS:
            self._burst_until = now + _BURST_SECONDS
        return now < self._burst_until

    async def _gather(self) -> None:
        """Until a request would be full, but not for long, and not for calls that nobody is about to make."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pace.gather):
                while len(self._lineup) < self._lineup.largest <= len(self._lineup) + self._expected():
                    self._changed.clear()
                    await self._changed.wait()

    def _expected(self) -> int:
        """Hot calls that are likely to be made soon: each that is on its way, or was answered just now, has a next."""
        while self._hot_landed and self._hot_landed[0] < self._exchange.clock() - self._pace.thinking:
            self._hot_landed.popleft()
        return self._hot_under_way + len(self._hot_landed)

    def _fill_seconds(self) -> float:
        """How much of others' work rides along with a hot request: none while hot ones are rare."""
        now = self._exchange.clock()
        if now < self._burst_until:
            return self._pace.gather
        while self._hot_sent and self._hot_sent[0] < now - _FREQUENT_SECONDS:
            self._hot_sent.popleft()
        self._hot_sent.append(now)
        waited, self._hot_waited = self._hot_waited, False
        if waited:
            return self._pace.short_seconds
        frequent = len(self._hot_sent) > self._pace.hot_frequent * _FREQUENT_SECONDS
        return self._pace.hot_seconds if frequent else 0.0

    async def _request(self, lane: Lane, commands: list[Command]) -> None:
        try:
            outcomes = await self._exchange.run(lane, commands)
            for command, outcome in zip(commands, outcomes, strict=True):
                if isinstance(outcome, BatchRefused) and len(commands) > 1:
                    self._refused(command, outcome, size=len(commands))
                _settle(command, outcome)
        except BaseException as error:
            for command in commands:
                _settle(command, _interrupted(error, command))
            raise

    def _refused(self, command: Command, outcome: BatchRefused, *, size: int) -> None:
        if outcome.code == _NOT_IN_BATCH:
            self._lineup.alone.add(command.method)
        else:
            self._lineup.largest = max(1, min(self._lineup.largest, size // 2))


def _settle(command: Command, outcome: Outcome) -> None:
    if command.answer is None or command.answer.done():
        return
    if isinstance(outcome, Bitrix24Error):
        command.answer.set_exception(outcome)
    else:
        command.answer.set_result(outcome)


def _interrupted(error: BaseException, command: Command) -> Bitrix24Error:
    """Our side broke off while the call was on its way."""
    if isinstance(error, asyncio.CancelledError):
        lost = Closed("The client was closed while the call was on its way", method=command.method)
    else:
        lost = Unreachable(f"Sending failed on our side ({type(error).__name__})", method=command.method)
    lost.may_have_run = True
    return lost
