"""The backfill of one portal: what happened before we came, read from its history into our own tables.

Called by `ogon backfill`. Activities, calls, proposals, invoices and stage moves since a day, and whose the cards are
as of now; in the background lane, so that cards go first, and in pages by id. Each page's rows and its cursor are one
transaction: a crash at any instruction repeats rows at worst, and the next call goes on from there. The cursors are its
own: the sweep's are left alone. It judges nothing and writes nothing to the portal.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.errors import Bitrix24Error
from app.domain.activity_kind import FIELDS, activity_of, call_of
from app.domain.difference import link
from app.domain.figures import LISTED
from app.domain.printed import moment
from app.domain.snapshot import Entity
from app.pipeline import portal_lists
from app.pipeline.card import listed
from app.pipeline.counting import count_changes
from app.pipeline.papers import params_of, read_papers
from app.pipeline.portal_lists import CALLS
from app.pipeline.reads import REFUSALS, together
from app.pipeline.sweep_round import BACKGROUND, Found, Watch, identity
from app.pipeline.sweep_sources import DEAL, LEAD, Row, note_origins, stage_move
from app.store import activities, card_figures, cursors, histories, owner_changes, papers, stage_moves
from app.store.cursors import Cursor
from app.store.database import Database, WriteSession
from app.store.owner_changes import SeenOwner
from app.store.papers import PaperKind

_CHUNK: Final = 500
"""Rows to a transaction."""


@dataclass(frozen=True, slots=True)
class Filling:
    """One backfill of one portal, as its sources need it. `since`: what happened from then on is wanted."""

    portal_id: int
    client: PortalClient
    database: Database
    since: datetime
    now: Callable[[], datetime]
    watch: Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """One list of the portal's past. `name` is the sweep's source that goes on where this one ends.

    `time`: the field by which rows are wanted; without one, all are. `history`: which of `store.histories` is whole
    once it is read; owners are not in it, since their past is nowhere to be read. `complete` asks for what the list
    does not print.
    """

    name: str
    method: str
    params: Mapping[str, Any]
    keep: Callable[[Filling, WriteSession, Sequence[Row], datetime], Any]
    id_name: str = "ID"
    time: str | None = None
    history: str | None = None
    complete: Callable[[Filling, Sequence[Row]], Awaitable[Sequence[Row]]] | None = None


async def backfill(filling: Filling) -> tuple[Found, ...]:
    """Read all sources side by side to their present ends; what was read, source by source. Raises DatabaseAway.

    A source that fails does not stop the others: its `error` says why, and the next call goes on with it.
    """
    found: list[Found] = []
    async with together() as group:
        for past in _PASTS:
            found.append(Found(past.name))
            group.create_task(_guarded(filling, past, found[-1]))
    await count_changes(filling.database, filling.portal_id)
    return tuple(found)


async def _guarded(filling: Filling, past: _Past, found: Found) -> None:
    try:
        await _fill(filling, past, found)
    except Bitrix24Error as error:
        found.error, found.refused = str(error), isinstance(error, REFUSALS)
        if found.refused and past.history is not None:
            async with filling.database.writing() as session:
                await histories.refused(session, filling.portal_id, past.history, why=found.error, now=filling.now())
    else:
        found.share = 1.0
    found.done = True
    filling.watch(found)


async def _fill(filling: Filling, past: _Past, found: Found) -> None:
    began = filling.now()
    cursor = await _begin(filling, past)
    top = await portal_lists.last_id(filling.client, past.method, past.params, lane=BACKGROUND, id_name=past.id_name)
    wanted: dict[str, Any] = {f">{past.id_name}": cursor.position}
    if past.time is not None:
        wanted[f">={past.time}"] = (cursor.since or filling.since).isoformat(timespec="seconds")
    rows: list[Row] = []

    async def keep() -> None:
        nonlocal cursor
        if rows:
            cursor = await _keep(filling, past, rows, cursor, began)
            found.seen += len(rows)
            found.share = min(1.0, cursor.position / top) if top else 1.0
            filling.watch(found)
            rows.clear()

    params = {**past.params, "filter": wanted}
    try:
        async for row in portal_lists.walk(filling.client, past.method, params, lane=BACKGROUND, id_name=past.id_name):
            rows.append(row)
            if len(rows) >= _CHUNK:
                await keep()
    finally:
        # What came before a fault, or before somebody broke us off, need not be read again.
        await keep()
    await _end(filling, past, cursor, top=top, began=began)


async def _begin(filling: Filling, past: _Past) -> Cursor:
    """Where an earlier backfill from this day or an earlier one stopped; the list's beginning for an earlier day."""
    name = cursors.of_backfill(past.name)
    async with filling.database.reading() as session:
        known = await cursors.get(session, filling.portal_id, name)
    if known is not None and known.since is not None and known.since <= filling.since:
        return known
    return Cursor(portal_id=filling.portal_id, source=name, since=filling.since, moved_at=filling.now())


async def _keep(filling: Filling, past: _Past, rows: Sequence[Row], cursor: Cursor, began: datetime) -> Cursor:
    cursor = replace(cursor, position=identity(rows[-1]), moved_at=filling.now())
    if past.complete is not None:
        rows = await past.complete(filling, rows)
    async with filling.database.writing() as session:
        await past.keep(filling, session, rows, began)
        await cursors.save(session, cursor)
    return cursor


async def _end(filling: Filling, past: _Past, cursor: Cursor, *, top: int, began: datetime) -> None:
    """All up to the end of the list as it was is kept; the sweep, from whatever it saw first, keeps the rest."""
    async with filling.database.writing() as session:
        position = max(cursor.position, top)
        await cursors.save(session, replace(cursor, position=position, through=began, moved_at=filling.now()))
        swept = await cursors.get(session, filling.portal_id, past.name)
        if past.history is not None and (swept is None or swept.floor <= position):
            since = cursor.since or filling.since
            await histories.read(session, filling.portal_id, past.history, since=since, now=began)


async def _activities(filling: Filling, session: WriteSession, rows: Sequence[Row], _began: datetime) -> None:
    await activities.keep(session, filling.portal_id, [activity_of(row) for row in rows])


async def _calls(filling: Filling, session: WriteSession, rows: Sequence[Row], _began: datetime) -> None:
    await activities.keep_calls(session, filling.portal_id, [call_of(row) for row in rows])


def _moves_of(entity_type_id: int) -> Callable[[Filling, WriteSession, Sequence[Row], datetime], Any]:
    async def keep(filling: Filling, session: WriteSession, rows: Sequence[Row], _began: datetime) -> None:
        moves = [stage_move(filling.portal_id, entity_type_id, row) for row in rows]
        await stage_moves.keep(session, [move for move in moves if move.card_id])

    return keep


def _owners_of(entity_type_id: int) -> Callable[[Filling, WriteSession, Sequence[Row], datetime], Any]:
    async def keep(filling: Filling, session: WriteSession, rows: Sequence[Row], began: datetime) -> None:
        seen = [
            SeenOwner(identity(row), link(row.get("assignedById")), moment(row.get("updatedTime")), began)
            for row in rows
        ]
        await note_origins(session, filling.portal_id, entity_type_id, rows)
        await owner_changes.note(session, filling.portal_id, entity_type_id, seen)
        stands = [listed(Entity(entity_type_id), row, began) for row in rows]
        await card_figures.listed(session, filling.portal_id, entity_type_id, stands)

    return keep


def _cards(entity_type_id: int, name: str) -> tuple[_Past, _Past]:
    return (
        _Past(
            name=f"{name}.moves",
            method="crm.stagehistory.list",
            params={"entityTypeId": entity_type_id},
            keep=_moves_of(entity_type_id),
            time="CREATED_TIME",
            history=f"{name}_moves",
        ),
        _Past(
            name=f"{name}.owners",
            method="crm.item.list",
            params={"entityTypeId": entity_type_id, "select": list(LISTED[Entity(entity_type_id)])},
            keep=_owners_of(entity_type_id),
            id_name="id",
        ),
    )


def _papers(kind: PaperKind, history: str) -> _Past:
    async def complete(filling: Filling, rows: Sequence[Row]) -> Sequence[Row]:
        made = await read_papers(filling.client, filling.database, filling.portal_id, kind, rows)
        return [{**row, "paper": paper} for row, paper in zip(rows, made, strict=True)]

    async def keep(filling: Filling, session: WriteSession, rows: Sequence[Row], _began: datetime) -> None:
        await papers.keep(session, filling.portal_id, kind, [row["paper"] for row in rows])

    return _Past(
        name=f"{kind}.new",
        method="crm.item.list",
        params=params_of(kind),
        keep=keep,
        id_name="id",
        time="createdTime",
        history=history,
        complete=complete,
    )


_PASTS: Final = (
    _Past(
        name="activity.new",
        method="crm.activity.list",
        params={"select": list(FIELDS)},
        keep=_activities,
        time="CREATED",
        history=histories.ACTIVITIES,
    ),
    _Past(name="call.new", method=CALLS, params={}, keep=_calls, time="CALL_START_DATE", history=histories.CALLS),
    _papers("quote", histories.QUOTES),
    _papers("invoice", histories.INVOICES),
    *_cards(LEAD, "lead"),
    *_cards(DEAL, "deal"),
)
