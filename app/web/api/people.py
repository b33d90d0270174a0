"""`/api/v1/people`, `/api/v1/departments`: who works in the portal, as last read there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.domain.team import head_of
from app.store import people, team
from app.store.people import Source, TeamReading
from app.web.api.queries import WhichPortal
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer
from app.web.state import Web

router = APIRouter(tags=["team"], responses={404: {"model": ProblemAnswer}})


class ReadingLine(BaseModel):
    """When the portal was last asked."""

    source: Source
    read_at: datetime | None = Field(description="As of when it is known; null: it never could be read.")
    refused: str | None = Field(description="Why the portal does not let us read it now.")


class PersonLine(BaseModel):
    """One user of the portal."""

    id: int
    name: str
    position: str | None
    active: bool = Field(description="false: dismissed, or not listed by the portal any more.")
    departments: list[int]
    time_zone: str | None = Field(description="His own; null: the portal's.")
    head: int | None = Field(description="The head of his department, or of one above.")
    away: bool = Field(description="Whether he is absent at this moment, or dismissed.")


class PeoplePage(BaseModel):
    """Everybody the portal lists. Nobody here is not nobody there: `readings` tells what may not be read."""

    items: list[PersonLine]
    readings: list[ReadingLine]


class DepartmentLine(BaseModel):
    """One department."""

    id: int
    name: str
    parent: int | None
    head: int | None = Field(description="The user's id in the portal.")


class DepartmentPage(BaseModel):
    """Every department of the portal."""

    items: list[DepartmentLine]
    readings: list[ReadingLine]


@router.get("/people")
async def list_people(
    web: Web,
    *,
    dismissed: Annotated[bool, Query(description="List dismissed people too.")] = False,
    portal: WhichPortal = None,
) -> PeoplePage:
    """Users of the portal with their heads, and who is away now."""
    now = web.clock()
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        known = await people.people(session, where.id)
        departments = await people.departments(session, where.id)
        readings = await people.readings(session, where.id)
        calendars = await team.calendars(session, where.id, around=now)
    return PeoplePage(
        items=[
            PersonLine(
                id=one.user_id,
                name=one.name,
                position=one.position,
                active=one.active,
                departments=list(one.department_ids),
                time_zone=one.time_zone,
                head=head_of(one.user_id, known, departments),
                away=calendars.absent(one.user_id, now),
            )
            for one in known.values()
            if one.active or dismissed
        ],
        readings=_readings(readings),
    )


@router.get("/departments")
async def list_departments(web: Web, *, portal: WhichPortal = None) -> DepartmentPage:
    """Departments of the portal with their heads."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        known = await people.departments(session, where.id)
        readings = await people.readings(session, where.id)
    return DepartmentPage(
        items=[
            DepartmentLine(id=one.department_id, name=one.name, parent=one.parent_id, head=one.head_id)
            for one in known.values()
        ],
        readings=_readings(readings),
    )


def _readings(readings: Sequence[TeamReading]) -> list[ReadingLine]:
    return [ReadingLine(source=one.source, read_at=one.read_at, refused=one.refused) for one in readings]
