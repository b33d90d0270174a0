"""The journal: everything that ever asked for a card to be judged. The record; the queue is only a wake-up.

The intake, the sweep, timers and replays append; the dispatcher takes what is not dispatched yet and turns
it into jobs; clearing `dispatched_at` is the replay. An append is one INSERT without NOTIFY or trigger,
because a notification serialises the commits of the whole server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, func, select, text, update

from app.store.database import ReadSession, WriteSession
from app.store.json_text import json_text, storable_text
from app.store.models import JournalRow
from app.store.records import Record

Source = Literal["webhook", "robot", "sweep", "timer", "replay", "rules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What is to be written down. `lane` 0 is hot, 1 updates, 2 background; `body` is JSON without secrets.

    `rejected` gives the reason why the entry will never be dispatched. Without `received_at` it is the
    database's now.
    """

    source: Source
    event: str
    portal_id: int | None = None
    entity_type_id: int | None = None
    card_id: int | None = None
    change: str | None = None
    lane: int = 1
    body: Any = None
    rejected: str | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the journal."""

    id: int
    portal_id: int | None
    received_at: datetime
    source: Source
    event: str
    entity_type_id: int | None
    card_id: int | None
    change: str | None
    lane: int
    body: Any
    dispatched_at: datetime | None
    rejected: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many entries wait for dispatch, and since when the oldest does."""

    waiting: int
    oldest: datetime | None


_RECORD = Record(Entry, JournalRow)

_APPEND = text(
    """
    INSERT INTO journal
        (portal_id, received_at, source, event, entity_type_id, card_id, change, lane, body, rejected)
    SELECT portal_id, coalesce(received_at, now()), source, event, entity_type_id, card_id, change, lane,
           body::jsonb, rejected
    FROM unnest(
        CAST(:portal_id AS integer[]), CAST(:received_at AS timestamptz[]), CAST(:source AS text[]),
        CAST(:event AS text[]), CAST(:entity_type_id AS integer[]), CAST(:card_id AS bigint[]),
        CAST(:change AS text[]), CAST(:lane AS smallint[]), CAST(:body AS text[]), CAST(:rejected AS text[])
    ) WITH ORDINALITY AS entry
        (portal_id, received_at, source, event, entity_type_id, card_id, change, lane, body, rejected, place)
    ORDER BY place
    RETURNING id
    """
)


async def append(session: WriteSession, entries: Sequence[NewEntry]) -> list[int]:
    """Write the entries down in one statement; their numbers, in the same order."""
    if not entries:
        return []
    values = {
        "portal_id": [entry.portal_id for entry in entries],
        "received_at": [entry.received_at for entry in entries],
        "source": [entry.source for entry in entries],
        "event": [storable_text(entry.event) for entry in entries],
        "entity_type_id": [entry.entity_type_id for entry in entries],
        "card_id": [entry.card_id for entry in entries],
        "change": [_optional_text(entry.change) for entry in entries],
        "lane": [entry.lane for entry in entries],
        "body": [None if entry.body is None else json_text(entry.body) for entry in entries],
        "rejected": [_optional_text(entry.rejected) for entry in entries],
    }
    return list((await session.scalars(_APPEND, values)).all())


async def take_undispatched(session: WriteSession, *, limit: int = 500) -> list[Entry]:
    """Entries to dispatch, hot lane first, in order of arrival; locked until the transaction ends.

    What another dispatcher holds is passed over. Call `mark_dispatched` in the same transaction.
    """
    query = (
        _RECORD.query()
        .where(JournalRow.dispatched_at.is_(None), JournalRow.rejected.is_(None))
        .order_by(JournalRow.lane, JournalRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return await _RECORD.all(session, query)


async def mark_dispatched(session: WriteSession, ids: Sequence[int]) -> None:
    await session.execute(update(JournalRow).where(JournalRow.id.in_(ids)).values(dispatched_at=func.now()))


async def clear_dispatched(
    session: WriteSession, *, portal_id: int, since: datetime, until: datetime | None = None
) -> int:
    """Have the portal's entries that arrived in the span dispatched once more; how many. This is the replay."""
    statement = (
        update(JournalRow)
        .where(
            JournalRow.portal_id == portal_id,
            JournalRow.received_at >= since,
            JournalRow.dispatched_at.is_not(None),
            JournalRow.rejected.is_(None),
        )
        .values(dispatched_at=None)
        .returning(JournalRow.id)
    )
    if until is not None:
        statement = statement.where(JournalRow.received_at < until)
    return len((await session.scalars(statement)).all())


async def get(session: ReadSession, entry_id: int) -> Entry | None:
    return await _RECORD.one(session, _RECORD.query().where(JournalRow.id == entry_id))


async def recent(
    session: ReadSession,
    *,
    portal_id: int | None = None,
    rejected_only: bool = False,
    before_id: int | None = None,
    limit: int = 100,
) -> list[Entry]:
    """The newest entries first; go on with `before_id` set to the last one's number."""
    query = _RECORD.query().order_by(JournalRow.id.desc()).limit(limit)
    if portal_id is not None:
        query = query.where(JournalRow.portal_id == portal_id)
    if rejected_only:
        query = query.where(JournalRow.rejected.is_not(None))
    if before_id is not None:
        query = query.where(JournalRow.id < before_id)
    return await _RECORD.all(session, query)


async def backlog(session: ReadSession) -> Backlog:
    waiting = (JournalRow.dispatched_at.is_(None), JournalRow.rejected.is_(None))
    row = (await session.execute(select(func.count(), func.min(JournalRow.received_at)).where(*waiting))).one()
    return Backlog(waiting=row[0], oldest=row[1])


async def prune(session: WriteSession, *, before: datetime, limit: int = 10_000) -> int:
    """Delete dispatched and rejected entries that arrived before; how many. Call again while it equals `limit`.

    Looks at the `limit` oldest ones only, so that it costs the same whether or not there is anything to delete.
    """
    handled = JournalRow.dispatched_at.is_not(None) | JournalRow.rejected.is_not(None)
    oldest = (
        select(JournalRow.id, JournalRow.received_at).where(handled).order_by(JournalRow.id).limit(limit).subquery()
    )
    old = select(oldest.c.id).where(oldest.c.received_at < before)
    gone = await session.scalars(delete(JournalRow).where(JournalRow.id.in_(old)).returning(JournalRow.id))
    return len(gone.all())


def _optional_text(value: str | None) -> str | None:
    return None if value is None else storable_text(value)
