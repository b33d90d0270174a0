"""Gaps: times in which deliveries may have been lost; a sweep that began after one was noticed closes it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from app.store.database import ReadSession, WriteSession
from app.store.models import GapRow
from app.store.records import Record


@dataclass(frozen=True, slots=True)
class Gap:
    """One gap; `reason` is for people."""

    id: int
    noticed_at: datetime
    reason: str
    swept_at: datetime | None


_RECORD = Record(Gap, GapRow)


async def note(session: WriteSession, *, noticed_at: datetime, reason: str) -> int:
    """Ask for a sweep; the gap's number."""
    statement = insert(GapRow).values(noticed_at=noticed_at, reason=reason).returning(GapRow.id)
    return (await session.scalars(statement)).one()


async def unswept(session: ReadSession) -> list[Gap]:
    """Gaps that no sweep has closed, the oldest first."""
    return await _RECORD.all(session, _RECORD.query().where(GapRow.swept_at.is_(None)).order_by(GapRow.id))


async def mark_swept(session: WriteSession, *, up_to: int, swept_at: datetime) -> None:
    """A sweep that began after gap `up_to` was noticed is through: that gap and all before it are closed."""
    await session.execute(update(GapRow).where(GapRow.id <= up_to, GapRow.swept_at.is_(None)).values(swept_at=swept_at))
