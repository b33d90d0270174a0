"""Cards: what we know of each lead and deal after its last run, for the next run and for the screens."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypedDict, Unpack

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import CardRow
from app.store.records import Record

CardState = Literal["open", "final", "deleted", "parked"]


class CardKey(NamedTuple):
    """Which card: our portal's number, Bitrix24's entityTypeId (1 lead, 2 deal, 4 company) and the card's id."""

    portal_id: int
    entity_type_id: int
    card_id: int


class CardValues(TypedDict, total=False):
    """What `save` may set; what is not given stays as it is."""

    title: str | None
    stage_id: str | None
    assigned_by_id: int | None
    company_id: int | None
    outcome: str | None
    grade: str | None
    why: Any
    checklist: str | None
    facts_digest: str | None
    last_run_id: int | None
    created_time: datetime | None
    updated_time: datetime | None
    moved_time: datetime | None
    moved_by: int | None
    state: CardState
    parked_reason: str | None
    attempts: int
    first_seen_at: datetime
    judged_at: datetime | None
    read_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card. `outcome` is the verdict's, `why` its one-line reason as JSON."""

    portal_id: int
    entity_type_id: int
    card_id: int
    title: str | None
    stage_id: str | None
    assigned_by_id: int | None
    company_id: int | None
    outcome: str | None
    grade: str | None
    why: Any
    checklist: str | None
    facts_digest: str | None
    last_run_id: int | None
    created_time: datetime | None
    updated_time: datetime | None
    moved_time: datetime | None
    moved_by: int | None
    state: CardState
    parked_reason: str | None
    attempts: int
    first_seen_at: datetime
    judged_at: datetime | None
    read_at: datetime | None

    @property
    def key(self) -> CardKey:
        return CardKey(self.portal_id, self.entity_type_id, self.card_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFilter:
    """Which cards to list; None asks for no condition. `title` is part of the title, in any case.

    Without a type companies are left out, unless they are parked.
    """

    portal_id: int
    entity_type_id: int | None = None
    outcome: str | None = None
    grade: str | None = None
    state: CardState | None = None
    assigned_by_id: int | None = None
    company_id: int | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class CardCounts:
    """How many cards there are by each value; cards without one are not counted under it."""

    outcomes: Mapping[str, int]
    grades: Mapping[str, int]
    states: Mapping[str, int]


_LEAD, _DEAL, _COMPANY = 1, 2, 4
_RECORD = Record(Card, CardRow)


async def get(session: ReadSession, key: CardKey) -> Card | None:
    return await _RECORD.one(session, _RECORD.query().where(_is(key)))


async def save(session: WriteSession, key: CardKey, **values: Unpack[CardValues]) -> Card:
    """Make the card or set these values on it."""
    storable = {name: storable_text(value) if isinstance(value, str) else value for name, value in values.items()}
    statement = insert(CardRow).values(key._asdict() | storable)
    # With nothing to set the key is set to itself, so that the row comes back all the same.
    changed = storable or {"card_id": key.card_id}
    statement = statement.on_conflict_do_update(index_elements=list(CardKey._fields), set_=changed)
    return (await _RECORD.all(session, _RECORD.returning(statement)))[0]


async def count_attempt(session: WriteSession, key: CardKey) -> int:
    """Count one failed attempt; how many there were since the last success (`save(attempts=0)`)."""
    await save(session, key)
    where = _is(key)
    counted = update(CardRow).where(where).values(attempts=CardRow.attempts + 1).returning(CardRow.attempts)
    return (await session.scalars(counted)).one()


async def park(session: WriteSession, key: CardKey, *, reason: str) -> Card:
    """Stop trying this card until a person replays it; `reason` is shown to them."""
    return await save(session, key, state="parked", parked_reason=reason)


async def unpark(session: WriteSession, key: CardKey) -> Card:
    """Let the card be tried anew, with all its attempts."""
    return await save(session, key, state="open", parked_reason=None, attempts=0)


async def list_cards(session: ReadSession, wanted: CardFilter, *, limit: int = 50, offset: int = 0) -> list[Card]:
    """Cards, the last judged first; those never judged at the end."""
    query = _RECORD.query().where(*_conditions(wanted))
    query = query.order_by(CardRow.judged_at.desc().nulls_last(), CardRow.card_id.desc())
    return await _RECORD.all(session, query.limit(limit).offset(offset))


async def count_cards(session: ReadSession, wanted: CardFilter, *, at_most: int | None = None) -> int:
    """How many there are; with `at_most` counting ends there, however many more there are."""
    found = select(literal(1)).select_from(CardRow).where(*_conditions(wanted)).limit(at_most).subquery()
    return await session.scalar(select(func.count()).select_from(found)) or 0


async def counts(session: ReadSession, *, portal_id: int, entity_type_id: int | None = None) -> CardCounts:
    """How many cards the portal has by outcome, by grade and by state."""
    query = select(CardRow.outcome, CardRow.grade, CardRow.state, func.count()).where(
        *_conditions(CardFilter(portal_id=portal_id, entity_type_id=entity_type_id))
    )
    outcomes: dict[str, int] = {}
    grades: dict[str, int] = {}
    states: dict[str, int] = {}
    for outcome, grade, state, number in await session.execute(
        query.group_by(CardRow.outcome, CardRow.grade, CardRow.state)
    ):
        for group, value in ((outcomes, outcome), (grades, grade), (states, state)):
            if value is not None:
                group[value] = group.get(value, 0) + number
    return CardCounts(outcomes=outcomes, grades=grades, states=states)


def _is(key: CardKey) -> ColumnElement[bool]:
    return and_(
        CardRow.portal_id == key.portal_id,
        CardRow.entity_type_id == key.entity_type_id,
        CardRow.card_id == key.card_id,
    )


def _conditions(wanted: CardFilter) -> list[ColumnElement[bool]]:
    # Leads alone have an outcome and deals a grade: said, the index of their kind is walked.
    kind = wanted.entity_type_id or (_LEAD if wanted.outcome else _DEAL if wanted.grade else None)
    equal = {
        CardRow.entity_type_id: kind,
        CardRow.outcome: wanted.outcome,
        CardRow.grade: wanted.grade,
        CardRow.state: wanted.state,
        CardRow.assigned_by_id: wanted.assigned_by_id,
        CardRow.company_id: wanted.company_id,
    }
    conditions = [CardRow.portal_id == wanted.portal_id]
    if kind is None:
        # Companies are judged for their segment and listed by it; one that is parked waits for a person like any card.
        conditions.append(or_(CardRow.entity_type_id != _COMPANY, CardRow.state == "parked"))
    conditions += [column == value for column, value in equal.items() if value is not None]
    if wanted.title:
        conditions.append(CardRow.title.icontains(storable_text(wanted.title), autoescape=True))
    return conditions
