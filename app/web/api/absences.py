"""`/api/v1/absences`: who is away when. Withdrawn ones stay on record and count no more."""

from datetime import date, datetime, timedelta, tzinfo
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from app.domain.messages import message
from app.store import team
from app.store.team import Absence, AbsenceUnknown
from app.web.access import AsHead
from app.web.api.queries import LARGEST_NUMBER, Day, Limit, Moment, WhichPortal
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer, WebProblem
from app.web.state import Web
from app.web.team_asking import known_person, within_reason

router = APIRouter(prefix="/absences", tags=["team"], responses={404: {"model": ProblemAnswer}})

_DAY_OR_MOMENT = "A day, by the clock where the person works, or a moment with its offset from UTC."


class AbsenceLine(BaseModel):
    """One absence."""

    id: int
    user: int = Field(description="The user's id in the portal.")
    starts_at: datetime = Field(serialization_alias="from")
    ends_at: datetime = Field(serialization_alias="until", description="The first moment after it.")
    note: str | None
    added_by: str
    added_at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None


class AbsencePage(BaseModel):
    """Absences in the order of their beginning."""

    items: list[AbsenceLine]


class NewAbsence(BaseModel):
    """An absence to be noted; it may overlap others."""

    model_config = ConfigDict(extra="forbid")

    user: int = Field(ge=1, le=LARGEST_NUMBER, description="The user's id in the portal.")
    starts: Day | Moment = Field(alias="from", description=_DAY_OR_MOMENT, examples=["2026-08-03"])
    ends: Day | Moment = Field(
        alias="until", description=f"{_DAY_OR_MOMENT} A day is the last one of it.", examples=["2026-08-14"]
    )
    note: str | None = Field(default=None, max_length=1000)


@router.get("")
async def list_absences(
    web: Web,
    *,
    user: Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER, description="Only this person's.")] = None,
    since: Annotated[Moment | None, Query(description="Only those that end later; now if left out.")] = None,
    withdrawn: Annotated[bool, Query(description="List withdrawn ones too.")] = False,
    portal: WhichPortal = None,
    limit: Limit = 200,
) -> AbsencePage:
    """Present and coming absences, or all that end after a moment."""
    since = since or web.clock()
    within_reason(since, "since")
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        found = await team.absences(session, where.id, user_id=user, since=since, with_withdrawn=withdrawn, limit=limit)
    return AbsencePage(items=[_line(one) for one in found])


@router.post("", status_code=201)
async def add_absence(web: Web, caller: AsHead, wanted: NewAbsence, *, portal: WhichPortal = None) -> AbsenceLine:
    """Note that a person is away: his clocks stand still, and nothing is handed to him."""
    within_reason(wanted.starts, "body.from")
    within_reason(wanted.ends, "body.until")
    async with web.database.writing() as session:
        where = await portal_asked(session, portal)
        await known_person(session, where.id, wanted.user)
        zone = (await team.calendars(session, where.id, around=web.clock())).of(wanted.user).zone
        starts_at, ends_at = _start(wanted.starts, zone), _end(wanted.ends, zone)
        if starts_at >= ends_at:
            said = message("The absence ends before it begins: give a later `until`.")
            raise WebProblem(422, "invalid_value", said, path="body.until")
        added = await team.add_absence(
            session,
            where.id,
            wanted.user,
            starts_at=starts_at,
            ends_at=ends_at,
            note=wanted.note,
            who=caller.name,
            now=web.clock(),
        )
    return _line(added)


@router.post("/{id}/withdraw")
async def withdraw_absence(
    web: Web,
    caller: AsHead,
    *,
    id: Annotated[int, Path(ge=1, le=LARGEST_NUMBER)],  # noqa: A002 - the API's word
) -> AbsenceLine:
    """The person is not away after all."""
    try:
        async with web.database.writing() as session:
            withdrawn = await team.withdraw_absence(session, id, who=caller.name, now=web.clock())
    except AbsenceUnknown as error:
        raise WebProblem(404, "absence_unknown", message("{detail}", detail=str(error))) from error
    return _line(withdrawn)


def _start(given: date | datetime, zone: tzinfo) -> datetime:
    return given if isinstance(given, datetime) else datetime(given.year, given.month, given.day, tzinfo=zone)


def _end(given: date | datetime, zone: tzinfo) -> datetime:
    return given if isinstance(given, datetime) else _start(given + timedelta(days=1), zone)


def _line(absence: Absence) -> AbsenceLine:
    return AbsenceLine(
        id=absence.id,
        user=absence.user_id,
        starts_at=absence.starts_at,
        ends_at=absence.ends_at,
        note=absence.note,
        added_by=absence.added_by,
        added_at=absence.added_at,
        withdrawn_by=absence.withdrawn_by,
        withdrawn_at=absence.withdrawn_at,
    )
