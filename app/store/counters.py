"""Counters: daily numbers of what deserves no row of its own, e.g. deliveries with a wrong token."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.store.database import ReadSession, WriteSession
from app.store.models import CounterRow

NO_PORTAL = 0


@dataclass(frozen=True, slots=True)
class Count:
    """One counter on one day; portal 0 when no portal could be told."""

    name: str
    portal_id: int
    day: date
    value: int


async def add(session: WriteSession, name: str, *, day: date, portal_id: int = NO_PORTAL, by: int = 1) -> None:
    statement = insert(CounterRow).values(name=name, portal_id=portal_id, day=day, value=by)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["name", "portal_id", "day"], set_={"value": CounterRow.value + statement.excluded.value}
        )
    )


async def since(session: ReadSession, day: date, *, name: str | None = None) -> list[Count]:
    """Counts of that day and later, by name, portal and day."""
    query = select(CounterRow.name, CounterRow.portal_id, CounterRow.day, CounterRow.value).where(CounterRow.day >= day)
    if name is not None:
        query = query.where(CounterRow.name == name)
    rows = await session.execute(query.order_by(CounterRow.name, CounterRow.portal_id, CounterRow.day))
    return [Count(name=name, portal_id=portal_id, day=on, value=value) for name, portal_id, on, value in rows]
