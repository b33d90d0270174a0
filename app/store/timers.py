"""Timers: when a card wants to be judged again without anything having changed.

A table of due times instead of jobs for later: tens of thousands of future jobs slow every fetch of the
queue. A periodic task takes what is due and appends it to the journal in the same transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, delete, func, or_, select, tuple_, update
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


CLOCK: Final = "clock"
"""The reason of the one timer that a running clock of a first response has."""
_COMPANY: Final = 4
_RECORD = Record(Timer, TimerRow)
_KEY = (TimerRow.portal_id, TimerRow.entity_type_id, TimerRow.card_id, TimerRow.reason)


async def set_timer(
    session: WriteSession,
    card: CardKey,
    *,
    reason: str,
    due_at: datetime,
    lane: int = 1,
    unless_due: datetime | None = None,
) -> None:
    """Set the timer, in place of the card's earlier one for this reason, fired or not.

    With `unless_due` an earlier one that is due by then and has not fired stays.
    """
    values = {"due_at": due_at, "lane": lane}
    statement = insert(TimerRow).values(card._asdict() | values | {"reason": reason})
    where = None if unless_due is None else or_(TimerRow.fired_at.is_not(None), TimerRow.due_at > unless_due)
    await session.execute(
        statement.on_conflict_do_update(index_elements=list(_KEY), set_=values | {"fired_at": None}, where=where)
    )


async def set_fired(
    session: WriteSession, card: CardKey, *, reason: str, due_at: datetime, lane: int, now: datetime
) -> None:
    """Write down that what was due then is done, so that `set_overdue` does not ask for it again."""
    values = {"due_at": due_at, "lane": lane, "fired_at": now}
    statement = insert(TimerRow).values(card._asdict() | values | {"reason": reason})
    await session.execute(statement.on_conflict_do_update(index_elements=list(_KEY), set_=values))


async def set_overdue(session: WriteSession, card: CardKey, *, reason: str, due_at: datetime, lane: int) -> None:
    """Make sure that what is due since then is done: nothing happens where it is under way or was done."""
    values = {"due_at": due_at, "lane": lane}
    statement = insert(TimerRow).values(card._asdict() | values | {"reason": reason})
    later = and_(TimerRow.fired_at.is_(None), TimerRow.due_at > due_at)
    missed = and_(TimerRow.fired_at.is_not(None), TimerRow.due_at < due_at)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=list(_KEY), set_=values | {"fired_at": None}, where=or_(later, missed)
        )
    )


async def cancel(session: WriteSession, card: CardKey, *, reason: str | None = None) -> None:
    """Drop the card's timer for this reason, or all of them."""
    statement = delete(TimerRow).where(
        TimerRow.portal_id == card.portal_id,
        TimerRow.entity_type_id == card.entity_type_id,
        TimerRow.card_id == card.card_id,
    )
    await session.execute(statement if reason is None else statement.where(TimerRow.reason == reason))


async def hasten(session: WriteSession, portal_id: int, *, reason: str, now: datetime) -> None:
    """What kept the portal's cards waiting is over: their timers for this reason are due."""
    waiting = (TimerRow.portal_id == portal_id, TimerRow.reason == reason, TimerRow.fired_at.is_(None))
    await session.execute(update(TimerRow).where(*waiting, TimerRow.due_at > now).values(due_at=now))


async def take_due(session: WriteSession, *, now: datetime, limit: int = 500) -> list[Timer]:
    """Fire what is due by `now`, the earliest first; what another process is firing is passed over."""
    due = (
        select(*_KEY)
        .where(TimerRow.fired_at.is_(None), TimerRow.due_at <= now)
        .order_by(TimerRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # As a subquery it may be run again for each row, and would take others each time.
        .cte("due")
        .prefix_with("MATERIALIZED")
    )
    statement = update(TimerRow).where(tuple_(*_KEY).in_(select(due))).values(fired_at=now)
    fired = await _RECORD.all(session, _RECORD.returning(statement))
    return sorted(fired, key=lambda timer: timer.due_at)


async def waiting(session: ReadSession) -> int:
    """How many leads and deals are to be looked at again soon: a running clock may take hours, and does not count."""
    soon = (TimerRow.fired_at.is_(None), TimerRow.reason != CLOCK, TimerRow.entity_type_id != _COMPANY)
    return await session.scalar(select(func.count()).select_from(TimerRow).where(*soon)) or 0
