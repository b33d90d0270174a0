"""Sweeps: when each portal was swept last and how it ended, and the one lock that lets a portal be swept once.

Called by `app/pipeline/sweep.py`; read by the figures. Several workers share a portal through this: whoever gets the
lock sweeps, and the others see in the row that it was done.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database, DatabaseAway, ReadSession, WriteSession, away_translated
from app.store.models import GapRow, PortalRow, SweepRow
from app.store.records import Record

_LOCK = 395_279  # the first half of a two-part advisory lock; the second is the portal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The last sweep of a portal. `complete_at` is when the last one began that read every source to its end.

    `gap_id` is the newest gap known when that one began; `failures` counts rounds that failed since; `utc_offset`
    is the portal's distance from UTC in seconds, by which its calendar days are told.
    """

    portal_id: int
    started_at: datetime
    finished_at: datetime | None
    complete_at: datetime | None
    gap_id: int
    failures: int
    error: str | None
    utc_offset: int


_RECORD = Record(Sweep, SweepRow)


async def get(session: ReadSession, portal_id: int) -> Sweep | None:
    return await _RECORD.one(session, _RECORD.query().where(SweepRow.portal_id == portal_id))


async def all_sweeps(session: ReadSession) -> list[Sweep]:
    return await _RECORD.all(session, _RECORD.query().order_by(SweepRow.portal_id))


async def begin(session: WriteSession, portal_id: int, *, now: datetime) -> None:
    statement = insert(SweepRow).values(portal_id=portal_id, started_at=now)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["portal_id"], set_={"started_at": now, "finished_at": None, "error": None}
        )
    )


async def learn_offset(session: WriteSession, portal_id: int, seconds: int) -> None:
    await session.execute(update(SweepRow).where(SweepRow.portal_id == portal_id).values(utc_offset=seconds))


async def complete(session: WriteSession, portal_id: int, *, now: datetime, gap_id: int) -> None:
    """Every source was read to its end; `gap_id` is the newest gap that was known before."""
    values = {"finished_at": now, "complete_at": SweepRow.started_at, "gap_id": gap_id, "failures": 0, "error": None}
    await session.execute(update(SweepRow).where(SweepRow.portal_id == portal_id).values(values))


async def fail(session: WriteSession, portal_id: int, *, now: datetime, error: str) -> None:
    """Some source could not be read to its end."""
    values = {"finished_at": now, "failures": SweepRow.failures + 1, "error": error}
    await session.execute(update(SweepRow).where(SweepRow.portal_id == portal_id).values(values))


async def newest_gap(session: ReadSession) -> int:
    """The number of the newest gap that no sweep has closed; 0 when there is none."""
    return await session.scalar(select(func.max(GapRow.id)).where(GapRow.swept_at.is_(None))) or 0


async def swept_gap(session: ReadSession) -> int:
    """The newest gap for which every enabled portal has been swept since."""
    covered = select(func.min(func.coalesce(SweepRow.gap_id, 0))).select_from(PortalRow)
    covered = covered.outerjoin(SweepRow, SweepRow.portal_id == PortalRow.id).where(PortalRow.enabled)
    return await session.scalar(covered) or 0


class SweepLocks:
    """Advisory locks of this process, all on one connection, which is opened with the first and kept.

    A process that dies drops its connection and with it the locks. So does a database that restarts; then two
    processes may sweep a portal at once for a while, which costs reads and repeats hints, and does no harm.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._connection: AsyncConnection | None = None
        self._held: set[int] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop()

    @contextlib.asynccontextmanager
    async def of(self, portal_id: int) -> AsyncGenerator[bool]:
        """Whether the portal is ours to sweep while the block runs. Raises DatabaseAway."""
        mine = portal_id not in self._held and await self._lock("pg_try_advisory_lock", portal_id)
        if mine:
            self._held.add(portal_id)
        try:
            yield mine
        finally:
            if mine:
                self._held.discard(portal_id)
                await asyncio.shield(self._unlock(portal_id))

    async def _lock(self, function: str, portal_id: int) -> bool:
        statement = text(f"SELECT {function}({_LOCK}, :portal)")
        async with self._turn:
            if self._connection is None:
                # Proves by the database's own rules that it is there, and says so in its own words if not.
                async with self._database.autocommitting():
                    engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
                    self._connection = await engine.connect()
            try:
                async with away_translated():
                    return bool((await self._connection.execute(statement, {"portal": portal_id})).scalar())
            except (SQLAlchemyError, DatabaseAway):
                await self._drop()
                raise

    async def _unlock(self, portal_id: int) -> None:
        # With the connection gone the lock is gone too.
        with contextlib.suppress(SQLAlchemyError, DatabaseAway):
            if self._connection is not None:
                await self._lock("pg_advisory_unlock", portal_id)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                # Not back into the pool: whatever is still locked on it must go with it.
                await connection.invalidate()
                await connection.close()
