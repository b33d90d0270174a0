"""Segments of companies: how each stands since its last run, and every change of it.

Written by `app/pipeline/segmenting.py` at the end of a company's run, read by the API and by reports. Who is asked to
speak to whom is in `contact_turns.py`, which company wants to be looked at in `segment_round.py`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert

from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import CardRow, CompanySegmentRow, SegmentChangeRow
from app.store.records import Record

SegmentName = Literal["new", "regular", "sleeping", "nurture"]
SEGMENT_NAMES: Final[tuple[SegmentName, ...]] = get_args(SegmentName)
COMPANY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanySegment:
    """One company. `segment` is the one in force, a person's where one set it; `decided` the one by the facts.

    `field_code`: what our last run left in the portal's field. `won_deals` None: not read whole. `changes_on`: when it
    will be in another segment if it buys nothing. `last_contact_at`: as of the last look. `bounds`: what it was judged
    by. `todo_id`: our newest to-do, open until `todo_done_at`. Days are the portal's.
    """

    portal_id: int
    company_id: int
    segment: SegmentName | None
    since: date | None
    decided: SegmentName | None
    field_code: str | None
    by_person: bool
    why: Any
    owner: int | None
    won_deals: int | None
    last_purchase_on: date | None
    changes_on: date | None
    last_contact_at: datetime | None
    next_contact_on: date | None
    todo_id: int | None
    todo_done_at: datetime | None
    bounds: str
    looked_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentChange:
    """A company came into another segment on the day `changed_on`, which we saw at `seen_at`.

    `won_back`: it slept and bought again. `owner`: whose company it was.
    """

    id: int
    company_id: int
    changed_on: date
    before: SegmentName | None
    after: SegmentName | None
    won_back: bool
    by_person: bool
    owner: int | None
    seen_at: datetime
    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFilter:
    """Which companies; None asks for no condition. `due_by`: the next contact is due by that day."""

    portal_id: int
    segment: SegmentName | None = None
    owner: int | None = None
    due_by: date | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A company with its title, as last read."""

    company: CompanySegment
    title: str | None


_SEGMENT = Record(CompanySegment, CompanySegmentRow)
_CHANGE = Record(SegmentChange, SegmentChangeRow)
_BACK: Final = frozenset({"new", "regular"})

_LAST_CONTACT = text("""
    WITH own AS (
        SELECT CAST(:type AS int) AS entity_type_id, CAST(:company AS bigint) AS card_id
        UNION ALL
        SELECT entity_type_id, card_id FROM cards
        WHERE portal_id = :portal AND company_id = :company AND entity_type_id IN (1, 2)
    )
    SELECT max(contact.at) FROM own CROSS JOIN LATERAL (
        SELECT coalesce(start_at, created_at) AS at FROM activities
        WHERE portal_id = :portal AND owner_type_id = own.entity_type_id AND owner_id = own.card_id
          AND happened = 'yes'
        UNION ALL
        SELECT coalesce(start_at, created_at)
        FROM activity_bindings AS bound JOIN activities USING (portal_id, activity_id)
        WHERE bound.portal_id = :portal AND bound.entity_type_id = own.entity_type_id AND bound.card_id = own.card_id
          AND happened = 'yes'
    ) AS contact
    WHERE contact.at <= :now
""")
_HAS_BOUGHT = text("""
    SELECT EXISTS (
        SELECT FROM past_deals WHERE portal_id = :portal AND company_id = :company AND semantics = 'success'
    ) OR EXISTS (
        SELECT FROM cards JOIN runs ON runs.id = cards.last_run_id
        WHERE cards.portal_id = :portal AND cards.entity_type_id = 2 AND cards.company_id = :company
          AND cards.state = 'final' AND runs.seen ->> 'semantics' = 'success'
    )
""")


async def get(session: ReadSession, portal_id: int, company_id: int) -> CompanySegment | None:
    """How the company stands; None when it never concerned us."""
    return await _SEGMENT.one(session, _SEGMENT.query().where(_is(portal_id, company_id)))


async def save(session: WriteSession, now: CompanySegment, *, run_id: int, seen_at: datetime) -> SegmentChange | None:
    """Keep how the company stands after a run; the change of segment, if it is one.

    Its day is the first one in the new segment, as far as the facts tell it.
    """
    before = await get(session, now.portal_id, now.company_id)
    values = asdict(now)
    if now.field_code is not None:
        values["field_code"] = storable_text(now.field_code)
    statement = insert(CompanySegmentRow).values(values)
    changed = {name: value for name, value in values.items() if name not in {"portal_id", "company_id"}}
    await session.execute(statement.on_conflict_do_update(index_elements=["portal_id", "company_id"], set_=changed))
    was = before.segment if before else None
    if was == now.segment:
        return None
    change: Mapping[str, Any] = {
        "portal_id": now.portal_id,
        "company_id": now.company_id,
        "changed_on": now.since or now.looked_on,
        "before": was,
        "after": now.segment,
        "won_back": was == "sleeping" and now.decided in _BACK,
        "by_person": now.by_person,
        "owner": now.owner,
        "seen_at": seen_at,
        "run_id": run_id,
    }
    return await _CHANGE.one(session, _CHANGE.returning(insert(SegmentChangeRow).values(change)))


async def last_contact(session: ReadSession, portal_id: int, company_id: int, *, now: datetime) -> datetime | None:
    """When somebody last spoke to the company, by what surely happened on it and on its leads and deals."""
    values = {"portal": portal_id, "company": company_id, "type": COMPANY, "now": now}
    return await session.scalar(_LAST_CONTACT, values)


async def has_bought(session: ReadSession, portal_id: int, company_id: int) -> bool:
    """Whether we know of a won deal of the company, without asking the portal."""
    return bool(await session.scalar(_HAS_BOUGHT, {"portal": portal_id, "company": company_id}))


async def listed(session: ReadSession, wanted: SegmentFilter, *, limit: int = 50, offset: int = 0) -> list[Named]:
    """Companies in a segment, whose next contact is due first at the beginning, those without one at the end."""
    query = (
        select(*_SEGMENT.columns, CardRow.title)
        .join_from(CompanySegmentRow, CardRow, _card(), isouter=True)
        .where(*_conditions(wanted))
        .order_by(CompanySegmentRow.next_contact_on.asc().nulls_last(), CompanySegmentRow.company_id)
    )
    rows = (await session.execute(query.limit(limit).offset(offset))).mappings().all()
    return [Named(company, row["title"]) for company, row in zip(_SEGMENT.made(rows), rows, strict=True)]


async def count(session: ReadSession, wanted: SegmentFilter) -> int:
    """How many companies `listed` has in all."""
    query = select(func.count()).select_from(CompanySegmentRow).join(CardRow, _card(), isouter=True)
    return await session.scalar(query.where(*_conditions(wanted))) or 0


async def counts(session: ReadSession, portal_id: int, *, owner: int | None = None) -> dict[SegmentName, int]:
    """How many companies are in each segment."""
    query = (
        select(CompanySegmentRow.segment, func.count())
        .join_from(CompanySegmentRow, CardRow, _card(), isouter=True)
        .where(*_conditions(SegmentFilter(portal_id=portal_id, owner=owner)))
        .group_by(CompanySegmentRow.segment)
    )
    found = {row[0]: row[1] for row in await session.execute(query)}
    return {name: found.get(name, 0) for name in SEGMENT_NAMES}


async def history(session: ReadSession, portal_id: int, company_id: int, *, limit: int = 100) -> list[SegmentChange]:
    """The company's changes of segment, the newest first."""
    query = _CHANGE.query().where(SegmentChangeRow.portal_id == portal_id, SegmentChangeRow.company_id == company_id)
    return await _CHANGE.all(session, query.order_by(SegmentChangeRow.id.desc()).limit(limit))


async def forget_todo(session: WriteSession, card: CardKey) -> None:
    """The company is gone from the portal: nobody is asked to speak to it."""
    await session.execute(
        text("""
            UPDATE company_segments SET next_contact_on = NULL, todo_id = NULL, todo_done_at = NULL
            WHERE portal_id = :portal AND company_id = :company
        """),
        {"portal": card.portal_id, "company": card.card_id},
    )


def _is(portal_id: int, company_id: int) -> ColumnElement[bool]:
    return and_(CompanySegmentRow.portal_id == portal_id, CompanySegmentRow.company_id == company_id)


def _card() -> ColumnElement[bool]:
    return and_(
        CardRow.portal_id == CompanySegmentRow.portal_id,
        CardRow.entity_type_id == COMPANY,
        CardRow.card_id == CompanySegmentRow.company_id,
    )


def _conditions(wanted: SegmentFilter) -> list[ColumnElement[bool]]:
    conditions = [
        CompanySegmentRow.portal_id == wanted.portal_id,
        CompanySegmentRow.segment.is_not(None),
        or_(CardRow.state.is_(None), CardRow.state != "deleted"),
    ]
    if wanted.segment is not None:
        conditions.append(CompanySegmentRow.segment == wanted.segment)
    if wanted.owner is not None:
        conditions.append(CompanySegmentRow.owner == wanted.owner)
    if wanted.due_by is not None:
        conditions.append(CompanySegmentRow.next_contact_on <= wanted.due_by)
    return conditions
