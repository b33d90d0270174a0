"""Cursors: how far each source of a portal's sweep has been read without an error.

Moved by the sweep in the transaction that writes down what the rows told, so a crash at any instruction repeats
rows at worst and passes none.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert

from app.store.database import ReadSession, WriteSession
from app.store.models import CursorRow
from app.store.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The place of one source of one portal.

    A source by id has read every row up to `position`, and never goes below `floor`. A source by time has read all
    that changed before `since`; while a window up to `through` is being read, `position` is the last id in it.
    `since` is None until the first window is through.
    """

    portal_id: int
    source: str
    position: int = 0
    floor: int = 0
    since: datetime | None = None
    through: datetime | None = None
    moved_at: datetime


_RECORD = Record(Cursor, CursorRow)


def of_backfill(source: str) -> str:
    """The source's other cursor: how far a backfill has read it, which is none of the sweep's business."""
    return f"backfill.{source}"


async def get(session: ReadSession, portal_id: int, source: str) -> Cursor | None:
    query = _RECORD.query().where(CursorRow.portal_id == portal_id, CursorRow.source == source)
    return await _RECORD.one(session, query)


async def save(session: WriteSession, cursor: Cursor) -> None:
    values = {name: getattr(cursor, name) for name in _RECORD.names}
    changed = {name: value for name, value in values.items() if name not in {"portal_id", "source"}}
    statement = insert(CursorRow).values(values)
    await session.execute(statement.on_conflict_do_update(index_elements=["portal_id", "source"], set_=changed))
