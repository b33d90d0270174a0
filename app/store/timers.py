"""Timers: when a card wants to be judged again without anything having changed.

A table of due times instead of jobs for later: tens of thousands of future jobs slow every fetch of the
queue. A periodic task takes what is due and appends it to the journal in the same transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from app.store.cards import CardKey
from app.store.database import ReadSession, WriteSession
from app.store.models import TimerRow
from app.store.records import Record


@dataclass(frozen=True, slots=True)
class Timer:
    """One due time; a card has one timer for each reason. `lane` as the journal has it: 0 hot, 1 normal, 2 background.

    What a timer brings back is as urgent as it was when it was set.
    """

    portal_id: int
    entity_type_id: int
    card_id: int
    reason: str
    due_at: datetime
    lane: int

    @property
    def card(self) -> CardKey:
        return CardKey(self.portal_id, self.entity_type_id, self.card_id)


_RECORD = Record(Timer, TimerRow)
_KEY = (TimerRow.portal_id, TimerRow.entity_type_id, TimerRow.card_id, TimerRow.reason)


async def set_timer(session: WriteSession, card: CardKey, *, reason: str, due_at: datetime, lane: int = 1) -> None:
    """Set the timer, in place of the card's earlier one for this reason, fired or not."""
    values = {"due_at": due_at, "lane": lane}
    statement = insert(TimerRow).values(card._asdict() | values | {"reason": reason})
    await session.execute(statement.on_conflict_do_update(index_elements=list(_KEY), set_=values | {"fired_at": None}))


async def cancel(session: WriteSession, card: CardKey, *, reason: str | None = None) -> None:
    """Drop the card's timer for this reason, or all of them."""
    statement = delete(TimerRow).where(
        TimerRow.portal_id == card.portal_id,
        TimerRow.entity_type_id == card.entity_type_id,
        TimerRow.card_id == card.card_id,
    )
    await session.execute(statement if reason is None else statement.where(TimerRow.reason == reason))


async def take_due(session: WriteSession, *, now: datetime, limit: int = 500) -> list[Timer]:
    """Fire what is due by `now`, the earliest first; what another process is firing is passed over."""
    due = (
        select(*_KEY)
        .where(TimerRow.fired_at.is_(None), TimerRow.due_at <= now)
        .order_by(TimerRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = update(TimerRow).where(tuple_(*_KEY).in_(due)).values(fired_at=now)
    fired = await _RECORD.all(session, _RECORD.returning(statement))
    return sorted(fired, key=lambda timer: timer.due_at)


async def waiting(session: ReadSession) -> int:
    """How many timers have not fired."""
    return await session.scalar(select(func.count()).select_from(TimerRow).where(TimerRow.fired_at.is_(None))) or 0
