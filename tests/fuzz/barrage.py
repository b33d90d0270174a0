"""Fires cases at a real server over many connections that are kept alive, and counts what it answers.

Used by the fuzzer and its test. A connection does one case at a time; what is refused with a closing answer, hung up
on or cut short makes a new one.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.fuzz.heads import Case

CONNECTIONS = 24
_PATIENCE = 60.0
_MOST_NAMED = 20


@dataclass(slots=True)
class Outcome:
    """`answered`: by kind and status; status 0 is a connection that ended without one. `wrong`: what must not be."""

    sent: int = 0
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    known: Counter[int] = field(default_factory=Counter)
    unanswered_known: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        """Both together."""
        self.sent += other.sent
        self.answered.update(other.answered)
        self.known.update(other.known)
        self.unanswered_known += other.unanswered_known
        self.wrong += other.wrong

    def note(self, case: Case, statuses: list[int]) -> None:
        self.sent += max(case.answers, 1)
        for status in statuses or [0]:
            self.answered[case.kind, status] += 1
            if status >= 500:
                self._name(case, f"answered {status}")
            if case.knows:
                self.known[status] += 1
        if not case.ends and len(statuses) < case.answers and 413 not in statuses and 400 not in statuses:
            self._name(case, f"{case.answers - len(statuses)} answers are missing")
        if case.knows and len(statuses) < max(case.answers, 1):
            self.unanswered_known += max(case.answers, 1) - len(statuses)
        if not case.knows and 200 in statuses:
            self._name(case, "taken without a right token")

    def _name(self, case: Case, what: str) -> None:
        if len(self.wrong) < _MOST_NAMED:
            self.wrong.append(f"{case.kind}: {what}: {case.wire[:600]!r}")


async def fire(port: int, cases: Iterable[Case], *, step: Callable[[int], None] = lambda _sent: None) -> Outcome:
    """Send them all; `step` hears how many answers were due for each."""
    outcome = Outcome()
    waiting = iter(cases)
    await asyncio.gather(*(_keep_firing(port, waiting, outcome, step) for _ in range(CONNECTIONS)))
    return outcome


async def _keep_firing(port: int, cases: Iterator[Case], outcome: Outcome, step: Callable[[int], None]) -> None:
    line = _Line(port)
    for case in cases:
        try:
            async with asyncio.timeout(_PATIENCE):
                statuses = await line.exchange(case)
        except TimeoutError:
            outcome.wrong.append(f"{case.kind}: no answer in {_PATIENCE:.0f} s: {case.wire[:600]!r}")
            statuses = []
            line.drop()
        outcome.note(case, statuses)
        step(max(case.answers, 1))
    line.drop()


class _Line:
    """One connection, made anew when it is gone."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def exchange(self, case: Case) -> list[int]:
        """The statuses of the answers that came."""
        fresh = self._streams is None
        statuses = await self._try(case)
        if not statuses and not fresh and not case.ends:
            # The server may close a connection that was idle; that is no answer to this case.
            statuses = await self._try(case)
        return statuses

    async def _try(self, case: Case) -> list[int]:
        statuses: list[int] = []
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(case.wire)
            if case.ends:
                writer.write_eof()
            await writer.drain()
            while case.ends or len(statuses) < case.answers:
                status, closes = await _answer(reader)
                statuses.append(status)
                if closes:
                    self.drop()
                    break
        except (OSError, EOFError):
            self.drop()
        if case.ends:
            self.drop()
        return statuses


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """One answer's status, and whether the server closes after it. Raises EOFError when it hung up instead."""
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if status >= 200:
            break
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or 0))
    return status, b"connection: close" in head
