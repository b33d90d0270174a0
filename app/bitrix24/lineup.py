"""The calls that wait for a request slot, and the choice of who goes in the next request.

Late binding: nothing is decided when a call is queued; the batcher asks `choose` when a slot has been granted
(rules 1, 3 and 5 of the client). Kept per lane and method, oldest first, so that a closed method holds up only
itself and a call that comes back takes its old place at the head. Pure but for the future each call carries.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.bitrix24 import encoding
from app.bitrix24.lanes import Lane
from app.bitrix24.methods import Kind, kind_of
from app.bitrix24.operating import OperatingLedger
from app.bitrix24.protocol import BATCH, LARGEST_BATCH, Answer

_numbers = itertools.count()
_BACKGROUND_PLACES: Final = 5
"""Places of a full batch that waiting background calls get whatever else waits: they are never starved."""
_LONGEST_BODY: Final = 1_000_000

Bind = Callable[[], tuple[str, Mapping[str, Any]] | None]


@dataclass(slots=True, eq=False)
class Command:
    """One call on its way. `bind`, if given, fills in method and parameters at the last moment.

    `once`: it is not repeated when it may have been executed, whatever its method. `epoch`: when it was asked for, by
    the count of whoever may lose the right to send it. `send_by`: by the client's clock; later it is not sent.
    """

    method: str
    params: Mapping[str, Any]
    lane: Lane
    once: bool = False
    epoch: int = 0
    send_by: float | None = None
    bind: Bind | None = None
    number: int = field(default_factory=lambda: next(_numbers))
    alone: bool = False
    text: str | None = None
    answer: "asyncio.Future[Answer] | None" = None

    def __lt__(self, other: "Command") -> bool:
        return self.number < other.number

    @property
    def waits(self) -> bool:
        """Whether somebody still wants the answer."""
        return self.answer is not None and not self.answer.done()

    def settle(self) -> bool:
        """Bind late parameters and write the command string; False when there is nothing left to ask."""
        if self.bind is not None:
            bound, self.bind = self.bind(), None
            if bound is None:
                return False
            self.method, self.params = bound
        if self.text is None and not self.alone:
            self.text = encoding.command(self.method, self.params)
            self.alone = self.text is None
        return True

    def nothing(self) -> None:
        """Answer a command that turned out to have nothing to ask."""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(Answer(result={}))


class Lineup:
    """Waiting commands of one portal."""

    def __init__(self, ledger: OperatingLedger, *, target_seconds: float) -> None:
        self._ledger = ledger
        self._target_seconds = target_seconds
        self._waiting: dict[Lane, dict[str, list[Command]]] = {lane: {} for lane in Lane}
        self.largest = LARGEST_BATCH
        self.alone: set[str] = set()
        """Methods the portal does not take inside a batch."""

    def __len__(self) -> int:
        return sum(len(heap) for lane in self._waiting.values() for heap in lane.values())

    def add(self, command: Command) -> None:
        """Queue a command; one that was queued before takes its old place."""
        heapq.heappush(self._waiting[command.lane].setdefault(command.method, []), command)

    def drain(self) -> list[Command]:
        """Take everything out."""
        everything = [command for lane in self._waiting.values() for heap in lane.values() for command in heap]
        for lane in self._waiting.values():
            lane.clear()
        return everything

    def ready(self, lane: Lane, *, reads_only: bool = False) -> bool:
        """Whether this lane has a command that may go now."""
        return any(self._ledger.room(method, lane) > 0 for method in self._live(lane, reads_only=reads_only))

    def opens_in(self) -> float | None:
        """Seconds until a method that is shut opens by time alone; None when only an answer or a call helps."""
        waits = [self._ledger.opens_in(method, lane) for lane in Lane for method in self._live(lane)]
        return min((seconds for seconds in waits if seconds), default=None)

    def choose(self, lane: Lane, *, fill_seconds: float = 0.0, reads_only: bool = False) -> list[Command]:
        """The commands of one request granted to `lane`, oldest first; empty when nothing waits any more.

        A hot request takes hot commands only; waiting others ride along until it lasts `fill_seconds`. Other
        requests carry the other lanes, with a few places kept for the background.
        """
        request = _Request(reads_only)
        if self._ledger.room(BATCH, lane) == 0:
            self._take(request, lane, 1, self._target_seconds)
            return request.commands
        full = self.largest
        if lane is not Lane.HOT:
            kept = min(_BACKGROUND_PLACES, full // 2)
            self._take(request, Lane.NORMAL, full - kept, self._target_seconds)
            self._take(request, Lane.BACKGROUND, full, self._target_seconds)
            self._take(request, Lane.NORMAL, full, self._target_seconds)
            return request.commands
        self._take(request, Lane.HOT, full, self._target_seconds)
        if fill_seconds and request.commands:
            self._take(request, Lane.NORMAL, full, fill_seconds)
            self._take(request, Lane.BACKGROUND, full, fill_seconds)
        return request.commands

    def _take(self, request: "_Request", lane: Lane, places: int, seconds: float) -> None:
        """Move commands of the lane into the request until it has so many, or would take so long."""
        while len(request.commands) < places and not request.full:
            command = self._next(lane, request)
            if command is None:
                return
            request.seconds += self._ledger.seconds(command.method)
            request.size += len(command.text or "")
            if request.commands and (request.seconds > seconds or request.size > _LONGEST_BODY):
                request.full = True
                self.add(command)
                return
            self._ledger.sent(command.method, 1)
            request.commands.append(command)
            request.full = command.alone

    def _next(self, lane: Lane, request: "_Request") -> Command | None:
        """The oldest command of the lane whose method is open; one that must go alone only as the first."""
        shut: set[str] = set()
        while (oldest := self._oldest(lane, shut, reads_only=request.reads_only)) is not None:
            heapq.heappop(self._waiting[lane][oldest.method])
            queued_as = oldest.method
            if not oldest.settle():
                oldest.nothing()
                continue
            oldest.alone = oldest.alone or oldest.method in self.alone
            if not (oldest.alone and request.commands):
                return oldest
            self.add(oldest)
            shut |= {oldest.method, queued_as}
        return None

    def _oldest(self, lane: Lane, shut: set[str], *, reads_only: bool) -> Command | None:
        heads = [
            self._waiting[lane][method][0]
            for method in self._live(lane, reads_only=reads_only)
            if method not in shut and self._ledger.room(method, lane) > 0
        ]
        return min(heads, default=None)

    def _live(self, lane: Lane, *, reads_only: bool = False) -> list[str]:
        """Methods of the lane whose head is still wanted; abandoned commands are dropped on the way."""
        methods = self._waiting[lane]
        live: list[str] = []
        for method, heap in list(methods.items()):
            while heap and not heap[0].waits:
                heapq.heappop(heap)
            if not heap:
                del methods[method]
            elif not reads_only or kind_of(method) is Kind.READ:
                live.append(method)
        return live


@dataclass(slots=True)
class _Request:
    """A request being put together."""

    reads_only: bool
    commands: list[Command] = field(default_factory=list[Command])
    seconds: float = 0.0
    size: int = 0
    full: bool = False
