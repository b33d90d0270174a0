"""Replays: takes up a draft that somebody wants tried on recorded cards, and sees it through.

Called by the worker's loop and by `ogon rules replay`. Recorded facts are judged again in processes of their own
(`replay_share.py`), page by page; here the counts are added up, kept, and the end is watched for: a replay that was
cancelled stops within a second, one whose worker died goes on elsewhere from the last page that was kept.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from app.domain.replay import Tally
from app.errors import OgonError
from app.store import dictionary, replays, rulesets
from app.store.database import Database, DatabaseAway
from app.store.recorded_cards import Place
from app.store.replays import Pages, Replay, ReplayCard

_log = structlog.get_logger()

PAGE = 1_000
"""Cards to a page: about a tenth of a second of judging, and some megabytes."""
STALLED_SECONDS = 20.0
_BEAT_SECONDS = 0.5
_CORES = 2
_LONGEST_ANSWER = 64 * 1024 * 1024
_MOST_VERSIONS = 10_000


class ReplayBroken(OgonError):  # noqa: N818 - reads as the state it is
    """A process of the replay ended before its work was done; its last words are in the log."""


class _Ended(OgonError):  # noqa: N818 - reads as the state it is
    """The replay was cancelled, or another worker has taken it up: nothing more is to be written."""


@dataclass(frozen=True, slots=True)
class _Answer:
    tally: Tally
    found: list[ReplayCard]


class Replayer:
    """Carries out replays, one at a time. `processes` None: one for each core, two at most."""

    def __init__(
        self,
        database: Database,
        *,
        processes: int | None = None,
        page: int = PAGE,
        stalled_after: float = STALLED_SECONDS,
    ) -> None:
        self._database = database
        self._processes = processes or min(_CORES, os.cpu_count() or 1)
        self._page = page
        self._stalled_after = timedelta(seconds=stalled_after)

    async def step(self, *, only: int | None = None) -> bool:
        """See one waiting replay through; whether there was one. `only`: no other than this. Raises DatabaseAway."""
        async with self._database.writing() as session:
            replay = await replays.take(session, stalled_after=self._stalled_after, only=only)
        if replay is None:
            return False
        if replay.attempt > replays.MOST_ATTEMPTS:
            await self._finish(replay, f"Given up: {replays.MOST_ATTEMPTS} workers died over it.")
            return True
        try:
            await self._while_wanted(replay)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(replay))
            raise
        return True

    async def _while_wanted(self, replay: Replay) -> None:
        """Carry it out until it is done or has ended otherwise."""
        work = asyncio.create_task(self._carry_out(replay), name=f"replay-{replay.id}")
        watch = asyncio.create_task(self._watch(replay), name=f"replay-{replay.id}-watch")
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watched = watch.done() and not work.done()
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)
        failure = watch.exception() if watched else None if work.cancelled() else work.exception()
        match failure:
            case None | _Ended():
                pass
            case DatabaseAway():
                raise failure
            case _:
                _log.error("a replay failed", replay=replay.id, exc_info=failure)
                await self._finish(replay, str(failure) or type(failure).__name__)

    async def _watch(self, replay: Replay) -> None:
        """Show that we live, until that is no longer wanted."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            async with self._database.writing() as session:
                if not await replays.beat(session, replay):
                    raise _Ended("The replay has ended.")

    async def _carry_out(self, replay: Replay) -> None:
        pages, order = await self._prepared(replay)
        tally, looked, after = Tally.from_json(replay.tally), replay.looked, replay.place
        async with _shares(
            order, min(self._processes, len(pages.ends)), self._database.conninfo.get_secret_value()
        ) as ask:
            waiting: deque[tuple[Place, int, asyncio.Task[_Answer]]] = deque()
            ends = iter(pages.ends)
            try:
                while True:
                    # A few pages ahead of what is kept, so that no process waits for the database.
                    while len(waiting) < 2 * self._processes and (end := next(ends, None)) is not None:
                        waiting.append((end[0], end[1], asyncio.create_task(ask(after, end[0]))))
                        after = end[0]
                    if not waiting:
                        break
                    place, number, answering = waiting.popleft()
                    answer = await answering
                    tally.add(answer.tally)
                    await self._keep(replay, place, looked + number, tally, answer.found)
            finally:
                for _, _, task in waiting:
                    task.cancel()
        await self._finish(replay)

    async def _prepared(self, replay: Replay) -> tuple[Pages, dict[str, Any]]:
        """The pages still to be looked at, and the order for the processes, all but the connection."""
        async with self._database.reading() as session:
            pages = await replays.pages(session, replay.period, after=replay.place, size=self._page)
            kept = await dictionary.load(session, replay.portal_id)
            versions = await rulesets.history(session, replay.portal_id, limit=_MOST_VERSIONS)
        async with self._database.writing() as session:
            if not await replays.set_total(session, replay, replay.looked + pages.total):
                raise _Ended("The replay has ended.")
        return pages, {
            "period": [replay.portal_id, replay.since.isoformat(), replay.until.isoformat()],
            "draft": replay.draft,
            "rules": [[one.version, one.document] for one in versions],
            "dictionary": kept.document if kept else None,
        }

    async def _keep(self, replay: Replay, place: Place, looked: int, tally: Tally, found: Sequence[ReplayCard]) -> None:
        async with self._database.writing() as session:
            if not await replays.advance(
                session, replay, place=place, looked=looked, tally=tally.to_json(), found=found
            ):
                raise _Ended("The replay has ended.")

    async def _finish(self, replay: Replay, error: str | None = None) -> None:
        async with self._database.writing() as session:
            await replays.finish(session, replay, error=error)

    async def _give_back(self, replay: Replay) -> None:
        # With the database away nothing can be said; the silence of this attempt will tell.
        with contextlib.suppress(DatabaseAway):
            async with self._database.writing() as session:
                await replays.give_back(session, replay)


_Ask = Callable[[Place, Place], Any]


@contextlib.asynccontextmanager
async def _shares(order: dict[str, Any], processes: int, conninfo: str) -> AsyncGenerator[_Ask]:
    """So many processes with this order; `ask` hands a page to the next free one. They are gone at the end."""
    free: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    started: list[asyncio.subprocess.Process] = []

    async def ask(after: Place, last: Place) -> _Answer:
        process = await free.get()
        answer = await _told(process, [after, last])
        free.put_nowait(process)
        return answer

    try:
        for _ in range(processes):
            started.append(await _start())  # noqa: PERF401 - when one cannot start, those before it must end
        # An order can be longer than what a pipe takes before its reader is there.
        await asyncio.gather(*(_say(process, {**order, "conninfo": conninfo}) for process in started))
        for process in started:
            free.put_nowait(process)
        yield ask
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*(process.wait() for process in started))


async def _start() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.pipeline.replay_share",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_ANSWER,
        # Ctrl-C in a terminal is for us; we end them.
        start_new_session=True,
    )


async def _told(process: asyncio.subprocess.Process, question: Any) -> _Answer:
    """One page's answer. Raises ReplayBroken when the process has ended."""
    assert process.stdout is not None
    await _say(process, question)
    line = await process.stdout.readline()
    if not line:
        raise ReplayBroken("A process of the replay has ended; the log of the service says why.")
    told = json.loads(line)
    names = ReplayCard.__slots__
    return _Answer(
        Tally.from_json(told["tally"]), [ReplayCard(**dict(zip(names, one, strict=True))) for one in told["found"]]
    )


async def _say(process: asyncio.subprocess.Process, said: Any) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # it has ended: its silence says so
        process.stdin.write(json.dumps(said).encode() + b"\n")
        await process.stdin.drain()
