"""When which portal is swept: at a worker's start, on a schedule, at once after a gap, sooner again after a failure.

Run by `app/worker.py`, which calls `step` every few seconds. Each portal is swept in a task of its own, so a slow or
dead one delays none; and by one worker at a time, however many there are.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Self

import structlog

from app.pipeline.connections import Connections
from app.pipeline.sweep import sweep_portal
from app.store import portals, sweeps
from app.store.database import Database, DatabaseAway
from app.store.sweeps import Sweep, SweepLocks

_log = structlog.get_logger()
_FIRST_PAUSE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPlan:
    """`every`: between the starts of two sweeps of a portal. `open_since`: how far the first sight looks back."""

    every: timedelta
    open_since: timedelta

    def due(self, last: Sweep | None, *, gap: int, started: datetime, now: datetime) -> bool:
        """Whether to sweep now. `gap` is the newest one noticed, `started` when this process began."""
        if last is None or last.finished_at is None:
            # Broken off, or still under way: the lock tells which.
            return True
        if last.failures:
            pause = min(self.every, _FIRST_PAUSE * 2 ** min(last.failures - 1, 16))
            return now >= last.finished_at + pause
        return last.started_at < started or gap > last.gap_id or now >= last.started_at + self.every


class Sweeper:
    """All sweeps of this process; an async context that stops them at its end."""

    def __init__(
        self, database: Database, connections: Connections, plan: SweepPlan, *, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._connections = connections
        self._plan = plan
        self._now = now
        self._started = now()
        self._locks = SweepLocks(database)
        self._running: dict[int, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._locks.__aexit__(None, None, None)

    async def step(self) -> None:
        """Start a sweep of each portal that is due and not being swept here. Raises DatabaseAway."""
        async with self._database.reading() as session:
            known = await portals.list_portals(session, enabled_only=True)
            last = {one.portal_id: one for one in await sweeps.all_sweeps(session)}
            gap = await sweeps.newest_gap(session)
        for portal in known:
            if portal.id not in self._running and self._due(last.get(portal.id), gap):
                task = asyncio.create_task(self._sweep(portal.id), name=f"sweep-{portal.id}")
                self._running[portal.id] = task
                task.add_done_callback(lambda _, portal_id=portal.id: self._running.pop(portal_id, None))

    def _due(self, last: Sweep | None, gap: int) -> bool:
        return self._plan.due(last, gap=gap, started=self._started, now=self._now())

    async def _sweep(self, portal_id: int) -> None:
        try:
            async with self._locks.of(portal_id) as mine:
                # Another worker may have been through since we looked.
                if mine and await self._still_due(portal_id):
                    await sweep_portal(
                        self._database,
                        self._connections,
                        portal_id,
                        now=self._now,
                        open_since=self._plan.open_since,
                    )
        except DatabaseAway as error:
            _log.warning("a sweep was broken off", portal=portal_id, error=str(error))
        except Exception as error:  # noqa: BLE001 - one portal's sweep never stops the others
            _log.error("a sweep failed", portal=portal_id, exc_info=error)
            await self._failed(portal_id, error)

    async def _failed(self, portal_id: int, error: Exception) -> None:
        with contextlib.suppress(DatabaseAway):
            async with self._database.writing() as session:
                await sweeps.fail(session, portal_id, now=self._now(), error=f"{type(error).__name__}: {error}")

    async def _still_due(self, portal_id: int) -> bool:
        async with self._database.reading() as session:
            last, gap = await sweeps.get(session, portal_id), await sweeps.newest_gap(session)
        return self._due(last, gap)
