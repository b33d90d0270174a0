"""`/api/v1/calendars`: who works when. Layers are set for the portal, a desk or a person; the answer is reckoned here.

A layer says as much as it wants to; what it leaves out is as in the layer below: person over desk over portal over the
portal's own settings over Mon-Fri 9-18 with Russia's holidays.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Request
from pydantic import BaseModel, Field

from app.domain.calendars import Calendars, Why
from app.domain.messages import message
from app.store import people, team
from app.store.calendar_document import examine_calendar, hours_to_json
from app.store.database import ReadSession
from app.store.json_text import storable
from app.store.team import WHOLE_PORTAL, KeptCalendar, Scope
from app.texts import catalogue
from app.web.access import AsAdmin
from app.web.api.queries import LARGEST_NUMBER, Moment, Since, Until, WhichPortal, in_order
from app.web.asking import portal_asked
from app.web.drafts import told
from app.web.problems import ProblemAnswer, WebProblem
from app.web.rendering import language_of
from app.web.state import Web
from app.web.team_asking import known_person, within_reason

router = APIRouter(prefix="/calendars", tags=["team"], responses={404: {"model": ProblemAnswer}})

_LONGEST_SPAN = 400
_MOST_MINUTES = 366 * 24 * 60
_EXAMPLE = {
    "zone": "Europe/Moscow",
    "week": {"mon": ["09:00-13:00", "14:00-18:00"], "sat": []},
    "country": "RU",
    "days": {"2026-12-31": ["09:00-17:00"]},
}

WhichUser = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER, description="The person's id in the portal.")]
WhichDesk = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER, description="The pool's number.")]
OfWhat = Annotated[Scope, Path(description="Whose hours.")]
OfWhom = Annotated[int, Path(ge=0, le=LARGEST_NUMBER, description="The pool or the user; 0 for the portal.")]


class CalendarLine(BaseModel):
    """One layer."""

    scope: Scope
    subject: int = Field(description="The pool's number or the user's id; 0 for the portal.")
    source: Literal["portal", "set"] = Field(description="portal: read from its own settings; set: by a person.")
    document: dict[str, Any] = Field(description="Only what the layer says.", examples=[_EXAMPLE])
    changed_by: str
    changed_at: datetime


class CalendarPage(BaseModel):
    """Every layer that says something, the portal's first."""

    items: list[CalendarLine]
    refused: str | None = Field(description="Why the portal does not let us read its own working time.")


class AwaySpan(BaseModel):
    """A time in which the person is away."""

    starts_at: datetime = Field(serialization_alias="from")
    ends_at: datetime = Field(serialization_alias="until")


class DayLine(BaseModel):
    """One day in the person's zone."""

    day: date
    hours: list[str] = Field(description="As they are without absences; none on a day off.", examples=[["09:00-18:00"]])
    why: Why = Field(
        description="week: an ordinary day; holiday; moved: worked instead of another day; set: this date was set."
    )
    name: str | None = Field(description="What the holiday is called, where known.")
    away: list[AwaySpan] = Field(description="Absences that touch the day.")
    worked_minutes: int = Field(description="What is left of the hours without the absences.")


class Effective(BaseModel):
    """The hours of a span, day by day, as all layers make them."""

    zone: str
    day_minutes: int = Field(description='How long "a working day" is as an allowance.')
    dismissed: bool
    days: list[DayLine]


class Reckoned(BaseModel):
    """When an allowance of working time runs out."""

    start: datetime
    minutes: int
    zone: str
    deadline: datetime | None = Field(description="null: there is not that much working time in the next three years.")


@router.get("")
async def list_calendars(web: Web, *, portal: WhichPortal = None) -> CalendarPage:
    """The layers as they were set, and what the portal's own settings say."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        kept = await team.all_calendars(session, where.id)
        readings = await people.readings(session, where.id)
    refused = next((one.refused for one in readings if one.source == people.CALENDAR), None)
    return CalendarPage(items=[_line(one) for one in kept], refused=refused)


@router.get("/effective")
async def effective_calendar(
    web: Web,
    *,
    user: WhichUser = None,
    desk: WhichDesk = None,
    since: Since = None,
    until: Until = None,
    portal: WhichPortal = None,
) -> Effective:
    """A person's hours day by day, with the reason why a day is free; without a user the desk's or the portal's.

    Thirty days from today on if no period is given.
    """
    now = web.clock()
    async with web.database.reading() as session:
        calendars = await _calendars(session, portal, user, now if since is None else _noon(since))
    calendar = calendars.of(user, desk)
    first = since or now.astimezone(calendar.zone).date()
    last = until or first + timedelta(days=29)
    in_order(first, last)
    if (last - first).days >= _LONGEST_SPAN:
        said = message("The period is too long: ask for at most {days} days.", days=_LONGEST_SPAN)
        raise WebProblem(422, "invalid_value", said, path="until")
    span = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return Effective(
        zone=str(calendar.zone),
        day_minutes=int(calendar.day_length.total_seconds()) // 60,
        dismissed=user in calendars.dismissed,
        days=[_day(calendars, day, user, desk) for day in span],
    )


@router.get("/reckon")
async def reckon(
    web: Web,
    *,
    start: Annotated[Moment, Query(description="When the clock starts, with its offset from UTC.")],
    minutes: Annotated[int, Query(ge=0, le=_MOST_MINUTES, description="Working time allowed.")],
    user: WhichUser = None,
    desk: WhichDesk = None,
    portal: WhichPortal = None,
) -> Reckoned:
    """When so many minutes of working time have passed: what the clocks of reaction will say."""
    within_reason(start.date(), "start")
    async with web.database.reading() as session:
        calendars = await _calendars(session, portal, user, start)
    calendar = calendars.of(user, desk)
    deadline = calendar.deadline(start, timedelta(minutes=minutes))
    return Reckoned(start=start, minutes=minutes, zone=str(calendar.zone), deadline=deadline)


@router.put("/{scope}/{subject}")
async def set_calendar(
    web: Web,
    caller: AsAdmin,
    request: Request,
    *,
    scope: OfWhat,
    subject: OfWhom,
    document: Annotated[dict[str, Any], Body(examples=[_EXAMPLE])],
    portal: WhichPortal = None,
) -> CalendarLine:
    """Set a layer in the place of the one that was set before; 422 names every wrong value."""
    examined = examine_calendar(storable(document))
    if examined.layer is None:
        said = message("The calendar was not taken: {count} values are wrong, see `wrong`.", count=len(examined.wrong))
        more = {"wrong": [one.model_dump() for one in told(examined.wrong, catalogue(language_of(request)).say)]}
        raise WebProblem(422, "calendar_invalid", said, path=examined.wrong[0].path or None, more=more)
    _fits(scope, subject)
    async with web.database.writing() as session:
        where = await portal_asked(session, portal)
        if scope == "person":
            await known_person(session, where.id, subject)
        kept = await team.set_calendar(
            session, where.id, scope, subject, examined.layer, who=caller.name, now=web.clock()
        )
    return _line(kept)


@router.delete("/{scope}/{subject}")
async def remove_calendar(
    web: Web, caller: AsAdmin, *, scope: OfWhat, subject: OfWhom, portal: WhichPortal = None
) -> CalendarLine:
    """Take a layer away: what is below it holds again. The answer is the layer that was."""
    _fits(scope, subject)
    async with web.database.writing() as session:
        where = await portal_asked(session, portal)
        removed = await team.remove_calendar(session, where.id, scope, subject, who=caller.name)
    if removed is None:
        raise WebProblem(404, "calendar_unknown", message("No such hours were set: see `GET /api/v1/calendars`."))
    return _line(removed)


async def _calendars(session: ReadSession, portal: int | None, user: int | None, around: datetime) -> Calendars:
    within_reason(around.date(), "since")
    where = await portal_asked(session, portal)
    if user is not None:
        await known_person(session, where.id, user)
    return await team.calendars(session, where.id, around=around)


def _fits(scope: Scope, subject: int) -> None:
    if (scope == "portal") != (subject == WHOLE_PORTAL):
        said = message("Write the subject 0 for the portal, and the number of the pool or user otherwise.")
        raise WebProblem(422, "invalid_value", said, path="subject")


def _day(calendars: Calendars, day: date, user: int | None, desk: int | None) -> DayLine:
    calendar, hours = calendars.of(user, desk), calendars.day(day, user, desk)
    start = datetime(day.year, day.month, day.day, tzinfo=calendar.zone)
    following = day + timedelta(days=1)
    end = datetime(following.year, following.month, following.day, tzinfo=calendar.zone)
    return DayLine(
        day=day,
        hours=hours_to_json(hours.hours),
        why=hours.why,
        name=hours.name,
        away=[
            AwaySpan(starts_at=away, ends_at=back) for away, back in calendar.absences if away < end and back > start
        ],
        worked_minutes=int(calendar.worked(start, end).total_seconds()) // 60,
    )


def _noon(day: date) -> datetime:
    within_reason(day, "since")
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


def _line(kept: KeptCalendar) -> CalendarLine:
    return CalendarLine(
        scope=kept.scope,
        subject=kept.subject_id,
        source=kept.source,
        document=kept.document,
        changed_by=kept.changed_by,
        changed_at=kept.changed_at,
    )
