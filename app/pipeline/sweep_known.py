"""Once a day: are the cards at work still there, and do they stand where we think they do?

A deletion whose webhook was lost leaves nothing to list, so what we know is asked for by id. Called by `sweep.py`
beside the other sources. A card the list leaves out goes into the journal; that it is gone is for the run to find.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from app.bitrix24.errors import NotFound
from app.pipeline.reads import rows as rows_of
from app.pipeline.sweep_round import BACKGROUND, Found, Round, identity
from app.pipeline.sweep_sources import DEAL, LEAD, seen_card
from app.store import cursors, news
from app.store.cursors import Cursor

EVERY: Final = timedelta(hours=24)
_NOT_READ_FOR: Final = timedelta(hours=24)
_PAGE: Final = 50
_CHUNK: Final = 1000
_FIELDS: Final = ("id", "updatedTime", "movedTime", "stageId")


@dataclass(frozen=True, slots=True)
class Known:
    """One object type's cards at work."""

    name: str
    entity_type_id: int


KNOWN: Final = (Known("lead.known", LEAD), Known("deal.known", DEAL))


async def check_known(sweep: Round, source: Known, found: Found) -> None:
    """Look after every card that was not read for a day, if it is time to. Raises Bitrix24Error."""
    async with sweep.database.reading() as session:
        cursor = await cursors.get(session, sweep.portal_id, source.name)
    if cursor is None:
        # Nothing is known of a portal at first sight.
        cursor = Cursor(portal_id=sweep.portal_id, source=source.name, since=sweep.now(), moved_at=sweep.now())
        return await _save(sweep, cursor)
    if cursor.through is None:
        if cursor.since is not None and sweep.now() - cursor.since < EVERY:
            return None
        cursor = replace(cursor, position=0, through=sweep.now())
    before = sweep.now() - _NOT_READ_FOR
    while ids := await _idle(sweep, source, cursor.position, before):
        cursor = await _check(sweep, source, cursor, ids, found)
    return await _save(sweep, replace(cursor, position=0, since=cursor.through, through=None))


async def _idle(sweep: Round, source: Known, after: int, before: Any) -> list[int]:
    async with sweep.database.reading() as session:
        return await news.idle_cards(
            session, sweep.portal_id, source.entity_type_id, after=after, judged_before=before, limit=_CHUNK
        )


async def _check(sweep: Round, source: Known, cursor: Cursor, ids: Sequence[int], found: Found) -> Cursor:
    pages = await asyncio.gather(
        *(_page(sweep, source, ids[start : start + _PAGE]) for start in range(0, len(ids), _PAGE))
    )
    listed = [row for page in pages for row in page]
    there = {identity(row) for row in listed}
    missing = [one for one in ids if one not in there]
    if missing and not there:
        await _rather_refused(sweep, source, missing[0])
    cursor = replace(cursor, position=ids[-1], moved_at=sweep.now())
    seen = [seen_card(row) for row in listed]
    async with sweep.writing, sweep.database.writing() as session:
        told = await sweep.ask(session, source.entity_type_id, seen, "SWEEP_CHANGED")
        await sweep.append(session, source.entity_type_id, missing, "SWEEP_MISSING", "delete")
        await cursors.save(session, cursor)
    found.seen += len(ids)
    found.queued += told.news + len(missing)
    found.again += told.again
    sweep.watch(found)
    return cursor


async def _page(sweep: Round, source: Known, ids: Sequence[int]) -> list[Mapping[str, Any]]:
    params = {
        "entityTypeId": source.entity_type_id,
        "select": list(_FIELDS),
        "filter": {"@id": list(ids)},
        "order": {"id": "ASC"},
        "start": -1,
    }
    return rows_of(await sweep.client.call("crm.item.list", params, lane=BACKGROUND), "items")


async def _rather_refused(sweep: Round, source: Known, card_id: int) -> None:
    """None of many cards is listed: they are gone, or we lost the right to see them, which `get` tells apart."""
    try:
        await sweep.client.load(source.entity_type_id, card_id, lane=BACKGROUND)
    except NotFound:
        return


async def _save(sweep: Round, cursor: Cursor) -> None:
    async with sweep.database.writing() as session:
        await cursors.save(session, replace(cursor, moved_at=sweep.now()))
