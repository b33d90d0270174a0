"""The audit log: who changed what, and when. Rows are only ever added: a trigger refuses everything else.

Whoever changes something notes it in the transaction of the change, so there is never one without the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert

from app.store.database import ReadSession, WriteSession
from app.store.models import AuditRow
from app.store.records import Record


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. `what` is a dotted word (`token.created`); `subject` names what was changed; `detail` is JSON."""

    id: int
    at: datetime
    who: str
    what: str
    subject: str
    portal_id: int | None
    detail: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; None is any. `what` takes whole words: `token` finds `token.created`. `until` is left out."""

    who: str | None = None
    what: str | None = None
    subject: str | None = None
    portal_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


_RECORD = Record(AuditEntry, AuditRow)


async def note(
    session: WriteSession,
    *,
    who: str,
    what: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    portal_id: int | None = None,
) -> None:
    """Note a change in the transaction that makes it. `detail` is JSON and holds no secret."""
    values = {
        "who": who,
        "what": what,
        "subject": subject,
        "portal_id": portal_id,
        "detail": dict(detail) if detail is not None else None,
    }
    await session.execute(insert(AuditRow).values(values))


async def page(
    session: ReadSession, wanted: AuditFilter, *, before_id: int | None = None, limit: int = 50
) -> list[AuditEntry]:
    """Entries, the newest first; with `before_id` only older ones."""
    query = _RECORD.query()
    if wanted.who is not None:
        query = query.where(AuditRow.who == wanted.who)
    if wanted.what is not None:
        query = query.where((AuditRow.what == wanted.what) | func.starts_with(AuditRow.what, f"{wanted.what}."))
    if wanted.subject is not None:
        query = query.where(AuditRow.subject == wanted.subject)
    if wanted.portal_id is not None:
        query = query.where(AuditRow.portal_id == wanted.portal_id)
    if wanted.since is not None:
        query = query.where(AuditRow.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditRow.at < wanted.until)
    if before_id is not None:
        query = query.where(AuditRow.id < before_id)
    return await _RECORD.all(session, query.order_by(AuditRow.id.desc()).limit(limit))
