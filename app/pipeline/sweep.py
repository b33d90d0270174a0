"""The sweep of one portal: read what no webhook told, and write it into the journal like a webhook would.

Bitrix24 does not send an event twice and some changes raise none (docs: api-reference/events/index,
api-reference/crm/deals/events), so this is what makes sure that nothing is lost; webhooks only make it quick.
Called by `sweeper.py` (the worker) and `ogon sweep`. It judges nothing and writes nothing to the portal.

All sources are read side by side, so that their pages travel in the same few requests, in the background lane. One
that fails does not stop the others; the round then counts as failed and is tried again soon.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from app.bitrix24.errors import Bitrix24Error
from app.pipeline import past_deals_reading, sweep_chats
from app.pipeline.connections import Connection, Connections
from app.pipeline.counting import count_changes
from app.pipeline.past_deals_reading import read_past
from app.pipeline.reads import REFUSALS, together
from app.pipeline.sweep_chats import read_chats, tell_history
from app.pipeline.sweep_known import KNOWN, check_known
from app.pipeline.sweep_round import Found, PortalClock, Round, Watch, portal_clock
from app.pipeline.sweep_sources import SOURCES
from app.pipeline.sweep_walk import read_source
from app.store import gaps, histories, sweeps
from app.store.database import Database
from app.store.secret_box import SecretUnreadable

_log = structlog.get_logger()


def _nobody(_found: Found) -> None:
    """Watch a sweep that nobody watches."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a round found, source by source. `error` is the first that kept it from being complete."""

    found: tuple[Found, ...]
    error: str | None

    @property
    def queued(self) -> int:
        return sum(one.queued for one in self.found)


async def sweep_portal(
    database: Database,
    connections: Connections,
    portal_id: int,
    *,
    now: Callable[[], datetime],
    open_since: timedelta,
    watch: Watch = _nobody,
) -> Swept:
    """Sweep the portal once; call it under `SweepLocks.of(portal_id)`. Raises PortalUnknown, DatabaseAway.

    `open_since`: how far the first sight of a portal looks back for open cards.
    """
    async with database.writing() as session:
        gap = await sweeps.newest_gap(session)
        await sweeps.begin(session, portal_id, now=now())
    try:
        connection = await connections.of(portal_id)
        clock = await portal_clock(connection.client, now=now)
    except (Bitrix24Error, SecretUnreadable) as error:
        return await _ended(database, portal_id, Swept((), str(error)), gap=gap, now=now)
    await _learn_offset(database, portal_id, clock)
    measured = watch is not _nobody
    sweep = Round(portal_id, connection.client, database, clock, now, open_since, watch, measured)
    swept = await _read_all(sweep, connection)
    return await _ended(database, portal_id, swept, gap=gap, now=now)


async def _read_all(sweep: Round, connection: Connection) -> Swept:
    found: list[Found] = []
    async with together() as group:
        for source in SOURCES:
            found.append(Found(source.name))
            group.create_task(_guarded(read_source(sweep, source, found[-1]), sweep, found[-1]))
        for known in KNOWN:
            found.append(Found(known.name))
            group.create_task(_guarded(check_known(sweep, known, found[-1]), sweep, found[-1]))
        found.append(Found(past_deals_reading.NAME))
        group.create_task(_guarded(read_past(sweep, connection, found[-1]), sweep, found[-1]))
    found.append(Found(sweep_chats.NAME))
    await _guarded(read_chats(sweep, found[-1]), sweep, found[-1])
    await _tell_histories(sweep, {one.source: one for one in found})
    await tell_history(sweep, found[-1])
    await count_changes(sweep.database, sweep.portal_id)
    # A source that the portal will never let us read must not keep a gap open for ever.
    failed = [one.error for one in found if one.error is not None and not one.refused]
    return Swept(tuple(found), failed[0] if failed else None)


async def _tell_histories(sweep: Round, found: Mapping[str, Found]) -> None:
    """Keep which histories are whole since this round at the latest, and which we may not read at all."""
    async with sweep.database.writing() as session:
        for source in SOURCES:
            one = found[source.name]
            if source.history is None:
                continue
            if one.refused:
                why = one.error or ""
                await histories.refused(session, sweep.portal_id, source.history, why=why, now=sweep.now())
            elif one.error is None:
                since = sweep.clock.now
                await histories.read(session, sweep.portal_id, source.history, since=since, now=sweep.now())


async def _guarded(reading: Coroutine[Any, Any, None], sweep: Round, found: Found) -> None:
    try:
        await reading
    except Bitrix24Error as error:
        found.error, found.refused = str(error), isinstance(error, REFUSALS)
        _log.warning("a source of the sweep failed", portal=sweep.portal_id, source=found.source, error=found.error)
    else:
        found.share = 1.0
    found.done = True
    sweep.watch(found)


async def _learn_offset(database: Database, portal_id: int, clock: PortalClock) -> None:
    offset = clock.now.utcoffset()
    if offset is not None:
        async with database.writing() as session:
            await sweeps.learn_offset(session, portal_id, int(offset.total_seconds()))


async def _ended(database: Database, portal_id: int, swept: Swept, *, gap: int, now: Callable[[], datetime]) -> Swept:
    async with database.writing() as session:
        if swept.error is not None:
            await sweeps.fail(session, portal_id, now=now(), error=swept.error)
        else:
            await sweeps.complete(session, portal_id, now=now(), gap_id=gap)
            covered = await sweeps.swept_gap(session)
            if covered:
                await gaps.mark_swept(session, up_to=covered, swept_at=now())
    if swept.queued or swept.error:
        found = {one.source: one.queued for one in swept.found if one.queued}
        _log.info("swept", portal=portal_id, found=found, error=swept.error)
    return swept
