"""People and departments of a portal as last read, and when that was.

Written by the worker (`app/pipeline/team_reading.py`), read by calendars, pools, escalations, the API and pages. What
the portal does not let us read stays as it was, and the reason is kept; nothing is made up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import delete, text, update
from sqlalchemy.dialects.postgresql import insert

from app.domain import team
from app.domain.team import Department, Person, Team
from app.store.database import ReadSession, WriteSession
from app.store.json_text import storable_text
from app.store.models import Base, DepartmentRow, PersonRow, TeamReadingRow
from app.store.records import Record

Source = Literal["people", "departments", "calendar"]
PEOPLE: Final[Source] = "people"
DEPARTMENTS: Final[Source] = "departments"
CALENDAR: Final[Source] = "calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamReading:
    """When a source was last read; `refused` is why the portal did not let us the last time we tried."""

    source: Source
    read_at: datetime | None
    refused: str | None


_PERSON = Record(Person, PersonRow)
_DEPARTMENT = Record(Department, DepartmentRow)
_READING = Record(TeamReading, TeamReadingRow)


# By the index of the cards' list: only what was judged since is looked at.
_STRANGERS = text("""
    SELECT DISTINCT card.assigned_by_id FROM cards AS card
    JOIN team_readings AS reading ON reading.portal_id = card.portal_id AND reading.source = 'people'
    WHERE card.portal_id = :portal AND card.entity_type_id IN (1, 2) AND card.judged_at > reading.read_at
      AND reading.refused IS NULL AND card.assigned_by_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM people WHERE portal_id = card.portal_id AND user_id = card.assigned_by_id)
    LIMIT 5
""")


async def people(session: ReadSession, portal_id: int) -> Mapping[int, Person]:
    """Everybody the portal lists or ever listed, by user id; dismissed ones are not active."""
    query = _PERSON.query().where(PersonRow.portal_id == portal_id).order_by(PersonRow.user_id)
    found = await _PERSON.all(session, query)
    # PostgreSQL's arrays come as lists.
    return {one.user_id: _with_tuple(one) for one in found}


async def departments(session: ReadSession, portal_id: int) -> Mapping[int, Department]:
    """By department id."""
    query = _DEPARTMENT.query().where(DepartmentRow.portal_id == portal_id).order_by(DepartmentRow.department_id)
    return {one.department_id: one for one in await _DEPARTMENT.all(session, query)}


async def head_of(session: ReadSession, portal_id: int, user_id: int) -> int | None:
    """The head of the person's department, or of one above; never himself, None where there is none."""
    return team.head_of(user_id, await people(session, portal_id), await departments(session, portal_id))


async def readings(session: ReadSession, portal_id: int) -> list[TeamReading]:
    """What of the team was read when, and what may not be read; a source that was never tried is missing."""
    query = _READING.query().where(TeamReadingRow.portal_id == portal_id).order_by(TeamReadingRow.source)
    return await _READING.all(session, query)


async def strangers(session: ReadSession, portal_id: int) -> list[int]:
    """Users whom cards judged since the last reading name as responsible, and whom it did not list; a few of them.

    Nobody while the portal does not let us read its people.
    """
    return list((await session.scalars(_STRANGERS, {"portal": portal_id})).all())


async def keep(session: WriteSession, portal_id: int, read: Team, *, read_at: datetime) -> None:
    """Keep who was read, and what may not be read. Who is not listed any more is not active; departments that are
    gone are forgotten."""
    if read.people is not None:
        rows = [_stored(one) | {"department_ids": list(one.department_ids)} for one in read.people.values()]
        await _upsert(session, PersonRow, portal_id, rows, "user_id", read_at)
        gone = PersonRow.portal_id == portal_id, PersonRow.read_at < read_at
        await session.execute(update(PersonRow).where(*gone).values(active=False))
    if read.departments is not None:
        rows = [_stored(one) for one in read.departments.values()]
        await _upsert(session, DepartmentRow, portal_id, rows, "department_id", read_at)
        await session.execute(
            delete(DepartmentRow).where(DepartmentRow.portal_id == portal_id, DepartmentRow.read_at < read_at)
        )
    found: dict[Source, object] = {PEOPLE: read.people, DEPARTMENTS: read.departments, CALENDAR: read.hours}
    for source, one in found.items():
        if one is not None or source in read.refused:
            await _note_reading(session, portal_id, source, read_at=read_at, refused=read.refused.get(source))


async def _note_reading(
    session: WriteSession, portal_id: int, source: Source, *, read_at: datetime, refused: str | None
) -> None:
    """The source was read, or refused; when it was last read stays known."""
    values = {"refused": refused} if refused is not None else {"refused": None, "read_at": read_at}
    statement = insert(TeamReadingRow).values(portal_id=portal_id, source=source, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["portal_id", "source"], set_=values))


async def _upsert(
    session: WriteSession,
    table: type[Base],
    portal_id: int,
    rows: Iterable[Mapping[str, object]],
    key: str,
    read_at: datetime,
) -> None:
    values = [{**row, "portal_id": portal_id, "read_at": read_at} for row in rows]
    if not values:
        return
    # Two workers may read at once: in one order they never wait for each other in a ring.
    ordered = sorted(values, key=lambda row: str(row[key]))
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in values[0] if name not in {"portal_id", key}}
    await session.execute(statement.on_conflict_do_update(index_elements=["portal_id", key], set_=changed), ordered)


def _stored(one: Person | Department) -> dict[str, object]:
    return {name: storable_text(value) if isinstance(value, str) else value for name, value in asdict(one).items()}


def _with_tuple(person: Person) -> Person:
    return replace(person, department_ids=tuple(person.department_ids))
