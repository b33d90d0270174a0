"""Many calls, each in a coroutine of its own, and what became of every one of them.

Used by the rows of `benchmarks.client`. A call ends in one of five ways, counted apart: done; refused (the caller was
told of an error and nothing was written); lost (the caller was told nothing, and it is not there); told an error though
it was written; unfinished when the row's time was up.
"""

import asyncio
import contextlib
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_GRACE = 2.0
"""Seconds for calls that are cut off to end; some peers take a cancellation for one more error to repeat after."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call: `act` makes it, `at` seconds after the start. `covers`: the cards it is for, one unless in bulk."""

    covers: Sequence[int]
    act: Callable[[], Awaitable[Any]]
    at: float = 0.0
    kind: str = ""


@dataclass(slots=True)
class Ended:
    """How the jobs ended. `waits`: from a call's arrival to its end, by kind, seconds; `cut`: time was up."""

    seconds: float = 0.0
    given: dict[int, Any] = field(default_factory=dict[int, Any])
    refused: dict[int, str] = field(default_factory=dict[int, str])
    waits: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cut: bool = False

    def errors(self) -> dict[str, int]:
        """How often which error was told."""
        return dict(Counter(self.refused.values()).most_common())


@dataclass(frozen=True, slots=True)
class Count:
    """The five ways, counted."""

    done: int
    refused: int
    lost: int
    told_wrong: int
    unfinished: int


async def carried_out(jobs: Sequence[Job], *, cap: float | None, tick: Callable[[int], None]) -> Ended:
    """Run all jobs at once, each in its own task; stop what still runs after `cap` seconds."""
    ended, started = Ended(), time.monotonic()
    tasks = [asyncio.create_task(_one(job, ended, started, tick)) for job in jobs]
    _, left = await asyncio.wait(tasks, timeout=cap)
    for task in left:
        task.cancel()
    ended.seconds = time.monotonic() - started
    ended.cut = bool(left)
    if left:
        await asyncio.wait(left, timeout=_GRACE)
    return ended


async def _one(job: Job, ended: Ended, started: float, tick: Callable[[int], None]) -> None:
    if job.at:
        await asyncio.sleep(started + job.at - time.monotonic())
    try:
        given = await job.act()
    except Exception as error:  # noqa: BLE001 - whatever a peer raises, its caller was told
        ended.refused.update(dict.fromkeys(job.covers, type(error).__name__))
    else:
        if len(job.covers) == 1:
            ended.given[job.covers[0]] = given
        else:
            ended.given.update(dict.fromkeys(job.covers))  # those it says nothing of are lost
            ended.given.update(given if isinstance(given, Mapping) else {})
    finally:
        ended.waits[job.kind].append(time.monotonic() - started - job.at)
    tick(len(job.covers))


def count(ended: Ended, asked: Iterable[int], there: Callable[[int], bool]) -> Count:
    """`there`: whether the call's effect is in the portal, or for a read whether the right card came."""
    ways: Counter[str] = Counter()
    for one in asked:
        if one in ended.refused:
            ways["told_wrong" if there(one) else "refused"] += 1
        elif one in ended.given:
            ways["done" if there(one) else "lost"] += 1
        else:
            ways["done" if there(one) else "unfinished"] += 1
    names = ("done", "refused", "lost", "told_wrong", "unfinished")
    return Count(**{name: ways[name] for name in names})


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))] if ranked else 0.0


def median(values: Sequence[float]) -> float:
    with contextlib.suppress(statistics.StatisticsError):
        return statistics.median(values)
    return 0.0
