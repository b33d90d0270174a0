"""Histories: from when on each source of a portal's past is kept whole, and whether the portal lets us read it.

Written by the sweep and the backfill. Whoever counts what people did asks here first: what was not read, or may not
be read, is told as missing, never counted as nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from app.domain.first_response import Source
from app.store.database import ReadSession, WriteSession
from app.store.models import HistoryRow
from app.store.records import Record

ACTIVITIES: Final = "activities"
CALLS: Final = "calls"
CHATS: Final = "chats"
QUOTES: Final = "quotes"
INVOICES: Final = "invoices"
_SOURCES: Final = {ACTIVITIES: Source.ACTIVITIES, CALLS: Source.CALLS}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One source: all of it since `whole_since` is kept as it was at `read_at`.

    Sources: activities, calls, chats, quotes, invoices, lead_moves, deal_moves, lead_owners, deal_owners.
    `refused` is why the portal does not let us read it; what was kept before stays.
    """

    source: str
    whole_since: datetime | None
    read_at: datetime | None
    refused: str | None
    refused_at: datetime | None


_RECORD = Record(History, HistoryRow)
_READ = text("""
    INSERT INTO histories AS known (portal_id, source, whole_since, read_at) VALUES (:portal, :source, :since, :now)
    ON CONFLICT (portal_id, source) DO UPDATE
    SET whole_since = least(known.whole_since, excluded.whole_since), read_at = excluded.read_at,
        refused = NULL, refused_at = NULL
""")
_REFUSED = text("""
    INSERT INTO histories AS known (portal_id, source, refused, refused_at) VALUES (:portal, :source, :why, :now)
    ON CONFLICT (portal_id, source) DO UPDATE
    SET refused = excluded.refused, refused_at = coalesce(known.refused_at, excluded.refused_at)
""")


async def read(session: WriteSession, portal_id: int, source: str, *, since: datetime, now: datetime) -> None:
    """The source was read to its end; all since `since` is kept. An earlier beginning that was told before stays."""
    await session.execute(_READ, {"portal": portal_id, "source": source, "since": since, "now": now})


async def refused(session: WriteSession, portal_id: int, source: str, *, why: str, now: datetime) -> None:
    """The portal does not let us read the source."""
    await session.execute(_REFUSED, {"portal": portal_id, "source": source, "why": why, "now": now})


async def of_portal(session: ReadSession, portal_id: int) -> list[History]:
    query = _RECORD.query().where(HistoryRow.portal_id == portal_id)
    return await _RECORD.all(session, query.order_by(HistoryRow.source))


def missing(known: Iterable[History], since: datetime) -> frozenset[Source]:
    """Which sources of contacts cannot tell all that happened since then.

    Chats are not among them: a session that was not read stands among the activities as one of which nobody can tell.
    """
    whole = {
        one.source for one in known if one.refused is None and one.whole_since is not None and one.whole_since <= since
    }
    return frozenset(source for name, source in _SOURCES.items() if name not in whole)
