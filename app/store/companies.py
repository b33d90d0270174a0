"""Companies: what each is called and whose it is, for reports that name clients.

Written by the sweep and the backfill from the portal's lists; a company deleted in the portal stays as it was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from app.store.database import ReadSession, WriteSession
from app.store.json_text import json_text
from app.store.models import CompanyRow
from app.store.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """One company of the portal. `assigned_by_id`: the user who is responsible for it now."""

    company_id: int
    title: str | None
    assigned_by_id: int | None
    created_at: datetime | None
    updated_at: datetime | None


_RECORD = Record(Company, CompanyRow)
_COLUMNS: Final = ", ".join(_RECORD.names)
_EXCLUDED: Final = ", ".join(f"excluded.{name}" for name in _RECORD.names)
_KNOWN: Final = ", ".join(f"known.{name}" for name in _RECORD.names)
# `updatedTime` has whole seconds, in which a company may change twice.
_KEEP = text(f"""
    INSERT INTO companies AS known (portal_id, {_COLUMNS})
    SELECT :portal, {_COLUMNS} FROM json_to_recordset(CAST(:rows AS json)) AS listed (
        company_id bigint, title text, assigned_by_id bigint, created_at timestamptz, updated_at timestamptz)
    ON CONFLICT (portal_id, company_id) DO UPDATE SET ({_COLUMNS}) = ROW ({_EXCLUDED})
    WHERE coalesce(excluded.updated_at >= known.updated_at, true) AND ({_KNOWN}) IS DISTINCT FROM ({_EXCLUDED})
    RETURNING company_id
""")  # noqa: S608 - constants


async def keep(session: WriteSession, portal_id: int, companies: Sequence[Company]) -> int:
    """Keep the companies as they are now; how many were not known so. Those known in a newer state stay."""
    if not companies:
        return 0
    rows = [{name: _plain(getattr(one, name)) for name in _RECORD.names} for one in companies]
    return len((await session.scalars(_KEEP, {"portal": portal_id, "rows": json_text(rows)})).all())


async def some(session: ReadSession, portal_id: int, ids: Iterable[int]) -> dict[int, Company]:
    """Those of the companies that are kept, by id."""
    query = _RECORD.query().where(CompanyRow.portal_id == portal_id, CompanyRow.company_id.in_(list(ids)))
    return {one.company_id: one for one in await _RECORD.all(session, query)}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
