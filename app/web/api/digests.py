"""`/api/v1/digests`: who gets the daily and weekly digest; switched by each person for himself, by an admin for all."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from app.domain.digest import Kind, Switch
from app.store import digests
from app.store.digests import Reader, Sent
from app.web.access import AsViewer, Caller, demand
from app.web.api.queries import LARGEST_NUMBER, WhichPortal
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer
from app.web.state import Web, WebState
from app.web.team_asking import known_person

router = APIRouter(prefix="/digests", tags=["team"], responses={404: {"model": ProblemAnswer}})

_User = Annotated[int, Path(ge=1, le=LARGEST_NUMBER, description="The user's id in the portal.")]


class LedPart(BaseModel):
    """Whose cards a digest is about; one of the three is given, and the reports take the same filter."""

    name: str
    department: int | None
    pool: int | None
    manager: int | None = Field(description="The person himself, who leads nobody.")


class LastDigest(BaseModel):
    """The last digest of a kind."""

    day: date = Field(description="Of a weekly one the Monday of the week in which it went out.")
    since: date
    until: date
    state: Literal["started", "done", "failed"] = Field(description="started: under way, or tried again soon.")
    sent_at: datetime | None
    error: str | None = Field(description="Why it did not go out.")


class DigestSwitch(BaseModel):
    """What somebody chooses for a person; null: on for who leads people that have cards, off for others."""

    model_config = ConfigDict(extra="forbid")

    daily: bool | None = None
    weekly: bool | None = None


class DigestLine(BaseModel):
    """One person who works in the portal."""

    user: int
    name: str
    heads: bool = Field(description="Leads people who have cards: digests are on unless switched off.")
    daily: bool = Field(description="Whether he gets it.")
    weekly: bool = Field(description="Whether he gets it.")
    chosen: DigestSwitch
    about: list[LedPart]
    last_daily: LastDigest | None
    last_weekly: LastDigest | None


@router.get("")
async def list_digests(web: Web, *, portal: WhichPortal = None) -> list[DigestLine]:
    """Everybody who works in the portal, with what he gets and how the last one went."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        readers = await digests.readers(session, where.id)
        newest = await digests.newest(session, where.id)
    return [_line(one, newest) for one in readers]


async def _own_or_admin(web: Web, caller: AsViewer, user: _User, portal: WhichPortal = None) -> Caller:
    """Asked before the body is looked at."""
    await may_switch(web, caller, user, portal)
    return caller


@router.put("/{user}")
async def switch_digests(
    web: Web,
    caller: Annotated[Caller, Depends(_own_or_admin)],
    *,
    user: _User,
    wanted: DigestSwitch,
    portal: WhichPortal = None,
) -> DigestSwitch:
    """Switch a person's digests, in the place of what was chosen before."""
    async with web.database.writing() as session:
        where = await portal_asked(session, portal)
        await known_person(session, where.id, user)
        chosen = Switch(daily=wanted.daily, weekly=wanted.weekly)
        await digests.switch(session, where.id, user, chosen, who=caller.name, now=web.clock())
    return wanted


async def may_switch(web: WebState, caller: Caller, user: int | None, portal: int | None) -> None:
    """Raises WebProblem 403 unless the caller is that person himself or an administrator."""
    if caller.person is not None:
        async with web.database.reading() as session:
            where = await portal_asked(session, portal)
        if caller.person == (where.id, user):
            return
    demand(caller, "admin")


def _line(one: Reader, newest: Mapping[tuple[int, str], Sent]) -> DigestLine:
    user = one.person.user_id
    return DigestLine(
        user=user,
        name=one.person.name,
        heads=one.heads,
        daily=Kind.DAILY in one.kinds,
        weekly=Kind.WEEKLY in one.kinds,
        chosen=DigestSwitch(daily=one.switch.daily, weekly=one.switch.weekly),
        about=[
            LedPart(name=led.name, department=led.department, pool=led.pool, manager=led.manager) for led in one.leads
        ],
        last_daily=_last(newest.get((user, Kind.DAILY.value))),
        last_weekly=_last(newest.get((user, Kind.WEEKLY.value))),
    )


def _last(one: Sent | None) -> LastDigest | None:
    return None if one is None else LastDigest.model_validate(one, from_attributes=True)
