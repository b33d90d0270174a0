"""What waits for a person right now, and what was judged today: each by an index of its own, whatever the past holds.

Read by the page Today and by digests.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select, true

from app.store.cards import Card
from app.store.database import ReadSession
from app.store.models import CardRow
from app.store.records import Record

LEAD, DEAL = 1, 2
_RECORD = Record(Card, CardRow)
# Written out, not bound: only so does the planner see that a partial index covers the condition.
_PARKED = CardRow.state == literal_column("'parked'")
_OPEN = CardRow.state == literal_column("'open'")
_UNDECIDED = CardRow.outcome.in_([literal_column("'review'"), literal_column("'needs_data'")])


@dataclass(frozen=True, slots=True)
class Standing:
    """Cards that wait for the same thing: the first few, and how many there are in all."""

    cards: Sequence[Card]
    total: int


@dataclass(frozen=True, slots=True)
class Judged:
    """Cards whose last verdict is of this span of time, by outcome and by grade."""

    outcomes: Mapping[str, int]
    grades: Mapping[str, int]


async def parked(session: ReadSession, portal_id: int, *, limit: int, whose: Collection[int] | None = None) -> Standing:
    """Cards that a run could not finish, those last judged first. `whose`: of these people only."""
    return await _standing(session, (CardRow.portal_id == portal_id, _PARKED, _of(whose)), limit)


async def undecided(
    session: ReadSession, portal_id: int, outcome: str, *, limit: int, whose: Collection[int] | None = None
) -> Standing:
    """Open leads with the outcome `review` or `needs_data`, the last judged first."""
    where = (CardRow.portal_id == portal_id, CardRow.outcome == outcome, _OPEN, _UNDECIDED, _of(whose))
    return await _standing(session, where, limit)


async def judged_since(
    session: ReadSession, portal_id: int, since: datetime, *, whose: Collection[int] | None = None
) -> Judged:
    """How the leads and deals judged from that moment on were judged."""
    where = (CardRow.portal_id == portal_id, CardRow.judged_at >= since, _of(whose))
    return Judged(
        await _by(session, CardRow.outcome, (*where, CardRow.entity_type_id == LEAD)),
        await _by(session, CardRow.grade, (*where, CardRow.entity_type_id == DEAL)),
    )


def _of(whose: Collection[int] | None) -> ColumnElement[bool]:
    return true() if whose is None else CardRow.assigned_by_id.in_(whose)


async def _standing(session: ReadSession, where: tuple[ColumnElement[bool], ...], limit: int) -> Standing:
    newest = _RECORD.query().where(*where).order_by(CardRow.judged_at.desc().nulls_last(), CardRow.card_id.desc())
    found = await _RECORD.all(session, newest.limit(limit))
    total = await session.scalar(select(func.count()).select_from(CardRow).where(*where))
    return Standing(found, total or 0)


async def _by(session: ReadSession, column: Any, where: tuple[ColumnElement[bool], ...]) -> Mapping[str, int]:
    query = select(column, func.count()).where(*where).group_by(column)
    return {value: number for value, number in await session.execute(query) if value is not None}
