"""The portal's closed deals as its lists tell them, with their companies: what reports know of the time before us.

Written by `app/pipeline/past_deals_reading.py`, read by `recorded_deals`, where a deal that a run has judged goes
before its row here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import TextClause, select, text
from sqlalchemy.dialects.postgresql import insert

from app.store import card_figures
from app.store.database import ReadSession, WriteSession
from app.store.json_text import json_text
from app.store.models import PastReadingRow
from app.store.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDeal:
    """One closed deal. Money in RUB by the rates of the reading; what the deal itself says of its client."""

    deal_id: int
    company_id: int | None
    responsible: int | None
    stage_id: str | None
    semantics: Literal["success", "failure"]
    source: str | None
    created_at: datetime | None
    closed_on: date
    amount: Decimal | None
    profit: Decimal | None
    industry: str | None
    turnover: Decimal | None
    steam_tph: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCompany:
    """Industry and size of a company of closed deals."""

    company_id: int
    industry: str | None
    turnover: Decimal | None
    steam_tph: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastReading:
    """One reading of all deals closed from `closed_from` on; `position` is the last that is read, by id.

    `mapping`: digest of where the rules say facts are read. `names`: by object, custom fields' names in lists.
    """

    mapping: str
    names: Mapping[str, Mapping[str, str]]
    began_at: datetime
    closed_from: date
    position: int = 0
    finished_at: datetime | None = None


_RECORD = Record(PastReading, PastReadingRow)
_DEAL: Final = {
    "deal_id": "bigint",
    "company_id": "bigint",
    "responsible": "bigint",
    "stage_id": "text",
    "semantics": "text",
    "source": "text",
    "created_at": "timestamptz",
    "closed_on": "date",
    "amount": "numeric",
    "profit": "numeric",
    "industry": "text",
    "turnover": "numeric",
    "steam_tph": "numeric",
}
_COMPANY: Final = {"company_id": "bigint", "industry": "text", "turnover": "numeric", "steam_tph": "numeric"}


def _upsert(table: str, key: str, columns: Mapping[str, str]) -> TextClause:
    """One statement for any number of rows."""
    listed = ", ".join(columns)
    shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    changed = ", ".join(f"{name} = excluded.{name}" for name in (*columns, "read_at") if name != key)
    return text(f"""
        INSERT INTO {table} (portal_id, {listed}, read_at)
        SELECT :portal, listed.*, :now FROM json_to_recordset(CAST(:rows AS json)) AS listed ({shape})
        ON CONFLICT (portal_id, {key}) DO UPDATE SET {changed}
    """)  # noqa: S608 - put together from constants


_KEEP_DEALS = _upsert("past_deals", "deal_id", _DEAL)
_KEEP_COMPANIES = _upsert("past_companies", "company_id", _COMPANY)
# What is known of a company that is not there any more stays known.
_NOT_LISTED = text("""
    INSERT INTO past_companies (portal_id, company_id, read_at) SELECT :portal, unnest(CAST(:ids AS bigint[])), :now
    ON CONFLICT (portal_id, company_id) DO UPDATE SET read_at = excluded.read_at
""")
_KNOWN = text("SELECT company_id FROM past_companies WHERE portal_id = :portal AND company_id = ANY(:ids)")
_COMPANIES_TO_READ = text("""
    SELECT DISTINCT deal.company_id FROM past_deals AS deal
    LEFT JOIN past_companies AS known USING (portal_id, company_id)
    WHERE deal.portal_id = :portal AND deal.company_id > :after
      AND (known.read_at IS NULL OR known.read_at < :began_at)
    ORDER BY deal.company_id LIMIT :limit
""")
_FORGET_DEALS = text("DELETE FROM past_deals WHERE portal_id = :portal AND read_at < :began_at")
_FORGET_COMPANIES = text("DELETE FROM past_companies WHERE portal_id = :portal AND read_at < :began_at")


async def reading(session: ReadSession, portal_id: int) -> PastReading | None:
    """The newest reading, under way or finished."""
    return await _RECORD.one(session, _RECORD.query().where(PastReadingRow.portal_id == portal_id))


async def whole_from(session: ReadSession, portal_id: int) -> date | None:
    """The day from which on all closed deals of the portal are known; None until they have been read once."""
    return await session.scalar(select(PastReadingRow.whole_from).where(PastReadingRow.portal_id == portal_id))


async def save_reading(session: WriteSession, portal_id: int, now: PastReading) -> None:
    """Keep how far the reading is; the day up to which an earlier one was whole stays."""
    values = {name: getattr(now, name) for name in _RECORD.names}
    statement = insert(PastReadingRow).values(portal_id=portal_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["portal_id"], set_=values))


async def keep_deals(session: WriteSession, portal_id: int, deals: Iterable[PastDeal], *, now: datetime) -> None:
    """Keep the deals as they are now."""
    rows = [asdict(deal) for deal in deals]
    await session.execute(_KEEP_DEALS, {"portal": portal_id, "rows": _json(rows), "now": now})
    await card_figures.past(session, portal_id, [row["deal_id"] for row in rows])


async def keep_companies(
    session: WriteSession, portal_id: int, companies: Sequence[PastCompany], *, asked: Iterable[int], now: datetime
) -> None:
    """Keep the companies as they are now, and of the others that were asked for that they were not listed."""
    rows = [asdict(company) for company in companies]
    await session.execute(_KEEP_COMPANIES, {"portal": portal_id, "rows": _json(rows), "now": now})
    missing = sorted(set(asked) - {company.company_id for company in companies})
    await session.execute(_NOT_LISTED, {"portal": portal_id, "ids": missing, "now": now})


async def known_companies(session: ReadSession, portal_id: int, ids: Sequence[int]) -> set[int]:
    """Which of the companies have closed deals here."""
    return set((await session.scalars(_KNOWN, {"portal": portal_id, "ids": list(ids)})).all())


async def companies_to_read(
    session: ReadSession, portal_id: int, *, began_at: datetime, after: int, limit: int
) -> list[int]:
    """Companies of the deals that the reading has not come to yet, by id, those above `after`."""
    values = {"portal": portal_id, "began_at": began_at, "after": after, "limit": limit}
    return list((await session.scalars(_COMPANIES_TO_READ, values)).all())


async def finish(session: WriteSession, portal_id: int, done: PastReading, *, now: datetime) -> None:
    """The reading is through: what it did not come upon is not in the portal any more."""
    values = {"portal": portal_id, "began_at": done.began_at}
    await card_figures.past_gone(session, portal_id, began_at=done.began_at, closed_from=done.closed_from)
    await session.execute(_FORGET_DEALS, values)
    await session.execute(_FORGET_COMPANIES, values)
    await session.execute(
        text("UPDATE past_readings SET finished_at = :now, whole_from = closed_from WHERE portal_id = :portal"),
        {"portal": portal_id, "now": now},
    )
    # Reports may be asked at once; not knowing how much came, the planner would compare all deals with all.
    await session.execute(text("ANALYZE past_deals, past_companies"))


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return json_text([{name: _plain(value) for name, value in row.items()} for row in rows])


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal | date) else value
