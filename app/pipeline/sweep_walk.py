"""Reads one source of a sweep to its end, and moves its cursor over what was read without an error.

Called by `sweep.py` for each of SOURCES. What the rows tell and the cursor's move are one transaction: a crash or a
fault in the middle leaves the cursor at the end of the error-free prefix, and the next round goes on from there.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from app.bitrix24.errors import Bitrix24Error, Rejected
from app.domain.printed import moment
from app.pipeline import portal_lists
from app.pipeline.sweep_round import BACKGROUND, Found, Round, identity
from app.pipeline.sweep_sources import Row, Source
from app.store import cursors
from app.store.cursors import Cursor

CHUNK: Final = 500
"""Rows to a transaction."""
OVERLAP: Final = timedelta(minutes=10)
"""Windows of time reach back over the last one: clocks differ, and a save becomes visible some time after its stamp."""
ID_OVERLAP: Final = 100
"""The same for ids: one that was given out first may become visible last."""
_FAR_TOO_OLD: Final = timedelta(hours=26)


@dataclass(slots=True)
class _Walk:
    """One source in one round. `cursor` moves on; `newest` is the latest change among the rows."""

    sweep: Round
    source: Source
    found: Found
    cursor: Cursor
    top: int = 0
    newest: datetime | None = None

    @property
    def first_sight(self) -> bool:
        return self.source.time is not None and self.cursor.since is None

    @property
    def since(self) -> datetime:
        return (self.cursor.since or self.sweep.clock.now - self.sweep.open_since) - OVERLAP


async def read_source(sweep: Round, source: Source, found: Found) -> None:
    """Read the source to its end. Raises Bitrix24Error with the cursor at the end of what was read before."""
    async with sweep.database.reading() as session:
        known = await cursors.get(session, sweep.portal_id, source.name)
    cursor = known or await _first_sight(sweep, source)
    if source.time is not None and cursor.through is None:
        cursor = replace(cursor, position=0, through=sweep.clock.now)
    top = await _last_id(sweep, source) if sweep.measured else 0
    walk = _Walk(sweep, source, found, cursor, top)
    rows: list[Row] = []
    try:
        async for row in _rows(walk):
            rows.append(row)
            if len(rows) >= CHUNK:
                await _keep(walk, rows)
                rows = []
    except Bitrix24Error:
        await _keep(walk, rows)
        raise
    await _keep(walk, rows)
    await _close(walk)


async def _first_sight(sweep: Round, source: Source) -> Cursor:
    """Where to begin on a portal that was never swept: at its end, unless the source looks back.

    Where a backfill has read the list before us, what came since is still to be read.
    """
    cursor = Cursor(portal_id=sweep.portal_id, source=source.name, moved_at=sweep.now())
    if source.time is None and not source.from_start:
        async with sweep.database.reading() as session:
            filled = await cursors.get(session, sweep.portal_id, cursors.of_backfill(source.name))
        ended = filled is not None and filled.through is not None
        last = filled.position if filled is not None and ended else await _last_id(sweep, source)
        cursor = replace(cursor, position=last, floor=last)
    elif source.time is not None and not source.from_start:
        cursor = replace(cursor, since=sweep.clock.now)
    async with sweep.database.writing() as session:
        await cursors.save(session, cursor)
    return cursor


async def _last_id(sweep: Round, source: Source) -> int:
    client = sweep.client
    return await portal_lists.last_id(client, source.method, source.params, lane=BACKGROUND, id_name=source.id_name)


async def _rows(walk: _Walk) -> AsyncIterator[Row]:
    """The rows of the window, ids ascending. Raises Rejected when the portal does not filter by time."""
    source, cursor = walk.source, walk.cursor
    above: dict[str, Any] = {f">{source.id_name}": max(cursor.position - ID_OVERLAP, cursor.floor)}
    if source.time is not None:
        above[f">{source.id_name}"] = cursor.position
        above[f">={source.time}"] = walk.since.isoformat(timespec="seconds")
    params = {**source.params, "filter": above}
    client = walk.sweep.client
    # A quiet portal has a few rows of each kind for a round, and pays for each call with its run time.
    walked = portal_lists.walk(client, source.method, params, lane=BACKGROUND, id_name=source.id_name, few=True)
    async for row in walked:
        if source.time is not None:
            changed = moment(row.get(source.time))
            if changed is not None and changed < walk.since - _FAR_TOO_OLD:
                # A legacy list leaves out a condition it does not know, and would give us the whole portal.
                raise Rejected(f"The list does not filter by {source.time}", method=source.method)
            walk.newest = max(filter(None, (walk.newest, changed)), default=None)
        yield row


async def _keep(walk: _Walk, rows: Sequence[Row]) -> None:
    if not rows:
        return
    sweep, last = walk.sweep, identity(rows[-1])
    if walk.source.complete is not None:
        rows = await walk.source.complete(sweep, rows)
    cursor = replace(walk.cursor, position=max(walk.cursor.position, last), moved_at=sweep.now())
    async with sweep.writing, sweep.database.writing() as session:
        told = await walk.source.keep(sweep, session, rows, walk.first_sight)
        await cursors.save(session, cursor)
    walk.cursor = cursor
    walk.found.seen += len(rows)
    walk.found.queued += told.news
    walk.found.again += told.again
    walk.found.share = min(1.0, last / walk.top) if walk.top else 0.0
    sweep.watch(walk.found)


async def _close(walk: _Walk) -> None:
    """The window is through: the next one begins where this one was opened.

    By the portal's clock; where that can't be trusted, at the latest change that was seen.
    """
    if walk.source.time is None:
        return
    sweep, cursor = walk.sweep, walk.cursor
    since = cursor.through if sweep.clock.trusted else walk.newest or walk.since + OVERLAP
    async with sweep.database.writing() as session:
        await cursors.save(session, replace(cursor, position=0, since=since, through=None, moved_at=sweep.now()))
