"""`/team`: who works, who is away, whose turn it is; absences and digests are set here. The API's own functions."""

import re
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, cast

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from app.domain.messages import message
from app.web import rendering
from app.web.access import Caller
from app.web.api.absences import NewAbsence, add_absence, list_absences, withdraw_absence
from app.web.api.digests import DigestSwitch, list_digests, may_switch, switch_digests
from app.web.api.people import list_departments, list_people
from app.web.api.pools import list_pools, pool_state
from app.web.api.queries import LARGEST_NUMBER
from app.web.pages.frame import frame_of
from app.web.problems import WebProblem
from app.web.sign_in import HeadForm, Reader, ReaderForm, SignedIn
from app.web.state import Web, WebState

router = APIRouter()
_Text = Annotated[str, Form(max_length=1000)]
_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@router.get("/team", dependencies=[SignedIn])
async def team_page(web: Web, request: Request, caller: Reader, *, portal: int | None = None) -> HTMLResponse:
    """People, pools with their shares, absences, digests."""
    return await _page(web, request, caller, portal, {})


@router.post("/team/absences")
async def note_absence(
    web: Web,
    request: Request,
    caller: HeadForm,
    *,
    portal: Annotated[int, Form()],
    user: _Text = "",
    starts: _Text = "",
    ends: _Text = "",
    note: _Text = "",
) -> Response:
    """Somebody is away: from day to day, both counted."""
    typed = {"user": user, "starts": starts, "ends": ends, "note": note}
    given: dict[str, Any] = {"user": user, "from": starts, "until": ends, "note": note.strip() or None}
    try:
        await add_absence(web, caller, NewAbsence.model_validate(given), portal=portal)
    except ValidationError:
        said = message("Choose a person, and give the first and the last day.")
        return await _page(web, request, caller, portal, typed, WebProblem(422, "invalid_value", said))
    except WebProblem as problem:
        return await _page(web, request, caller, portal, typed, problem)
    return RedirectResponse(rendering.address("/team", portal=portal), status_code=303)


@router.post("/team/absences/{id}/withdraw")
async def withdraw(
    web: Web,
    caller: HeadForm,
    *,
    id: Annotated[int, Path(ge=1, le=LARGEST_NUMBER)],  # noqa: A002 - in the address
    portal: Annotated[int, Form()],
) -> Response:
    """The person is not away after all."""
    await withdraw_absence(web, caller, id=id)
    return RedirectResponse(rendering.address("/team", portal=portal), status_code=303)


@router.post("/team/digests")
async def switch(
    web: Web,
    request: Request,
    caller: ReaderForm,
    *,
    portal: Annotated[int, Form()],
    user: _Text = "",
    daily: bool = Form(default=False),
    weekly: bool = Form(default=False),
) -> Response:
    """Switch the digests of a person; a viewer or head his own ones only."""
    number = int(user) if _ID.fullmatch(user) else None
    await may_switch(web, caller, number, portal)
    if number is None:
        return await _page(
            web, request, caller, portal, {}, WebProblem(422, "invalid_value", message("Choose a person."))
        )
    try:
        await switch_digests(web, caller, user=number, wanted=DigestSwitch(daily=daily, weekly=weekly), portal=portal)
    except WebProblem as problem:
        return await _page(web, request, caller, portal, {}, problem)
    return RedirectResponse(rendering.address("/team", portal=portal) + "#digests", status_code=303)


async def _page(
    web: WebState,
    request: Request,
    caller: Caller,
    portal: int | None,
    typed: dict[str, str],
    problem: WebProblem | None = None,
) -> HTMLResponse:
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
    where = frame.portal.id
    people = await list_people(web, portal=where)
    departments = await list_departments(web, portal=where)
    known = await list_pools(web, portal=where)
    return rendering.page(
        request,
        "team.html",
        status=problem.status if problem else 200,
        **frame.context,
        people=people,
        departments={one.id: one.name for one in departments.items},
        pools=[await pool_state(web, id=cast("Any", one.id), portal=where) for one in known],
        absences=[
            (one, _day(one.starts_at, frame.zone), _day(one.ends_at, frame.zone, last=True))
            for one in (await list_absences(web, portal=where)).items
        ],
        digests=[
            (one, caller.may("admin") or caller.person == (where, one.user))
            for one in await list_digests(web, portal=where)
        ],
        typed=typed,
        wrong=frame.texts.say(problem.said) if problem else "",
    )


def _day(at: datetime, zone: tzinfo, *, last: bool = False) -> date | datetime:
    """A midnight of the portal's clock as a day, as it was typed: the one that begins, or the `last` one before it."""
    local = at.astimezone(zone)
    if local.time() != time():
        return at
    return local.date() - timedelta(days=1) if last else local.date()
