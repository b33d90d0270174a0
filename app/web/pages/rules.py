"""`/rules`: the rules in force, their versions and differences, what a version did, going back to an older one.

Editing is `rules_edit.py`, trying drafts on the past `rules_replays.py`. All of it is the API's own functions.
"""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app.domain.messages import message
from app.domain.ruleset import Ruleset
from app.domain.ruleset_words import lines
from app.web import rendering
from app.web.api.effects import RejudgingProgress, rejudging_progress, ruleset_effect
from app.web.api.rules import RollBack, difference, list_versions, one_version, roll_back, rules_in_force
from app.web.pages.frame import Frame, frame_of
from app.web.problems import WebProblem
from app.web.sign_in import AdminForm, SignedIn
from app.web.state import Web, WebState

router = APIRouter()
_PER_PAGE = 30
_LAST_VERSION = 2**31 - 2

Version = Annotated[int, Path(ge=1, le=_LAST_VERSION)]


@router.get("/rules", dependencies=[SignedIn])
async def rules_page(
    web: Web, request: Request, *, portal: int | None = None, published: int | None = None
) -> HTMLResponse:
    """The rules in force, in words."""
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
    told = await rules_in_force(web, Response(), portal=frame.portal.id)
    rejudging = await _rejudging(web, told.version, frame) if told.version else None
    return rendering.page(
        request,
        "rules.html",
        **frame.context,
        version=told,
        lines=_lines(told.document, frame),
        rejudging=rejudging,
        published=published == told.version,
    )


@router.get("/rules/versions", dependencies=[SignedIn])
async def versions_page(
    web: Web, request: Request, *, portal: int | None = None, before: Annotated[int | None, Query(ge=1)] = None
) -> HTMLResponse:
    """Who published which version, when and why."""
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
    told = await list_versions(web, portal=frame.portal.id, before=before, limit=_PER_PAGE)
    return rendering.page(request, "rules_versions.html", **frame.context, versions=told.items, older=told.next_before)


@router.get("/rules/versions/{version}", dependencies=[SignedIn])
async def version_page(
    web: Web,
    request: Request,
    *,
    version: Version,
    portal: int | None = None,
    since: Annotated[int | None, Query(ge=1, le=_LAST_VERSION)] = None,
) -> HTMLResponse:
    """One version: what it changed, what it did, its rules; and going back to it."""
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
    where = frame.portal.id
    told = await one_version(web, Response(), version=version, portal=where)
    current = await rules_in_force(web, Response(), portal=where)
    other = since or (version - 1 if version > 1 else None)
    changed = await difference(web, request, before=other, after=version, portal=where) if other else None
    return rendering.page(
        request,
        "rules_version.html",
        **frame.context,
        version=told,
        current=current.version,
        lines=_lines(told.document, frame),
        changed=changed,
        rejudging=await _rejudging(web, version, frame),
        effect=await ruleset_effect(web, version=version, portal=where),
    )


@router.post("/rules/versions/{version}/rollback")
async def roll_back_to(
    web: Web,
    request: Request,
    caller: AdminForm,
    *,
    version: Version,
    reason: Annotated[str, Form(min_length=1, max_length=1000, pattern=r"\S")],
    based_on: Annotated[int, Form(ge=0, le=_LAST_VERSION)],
    portal: Annotated[int, Form()],
) -> Response:
    """Publish the older version anew."""
    wanted = RollBack(version=version, reason=reason, based_on=based_on)
    told = await roll_back(web, request, Response(), caller, wanted, portal=portal)
    return RedirectResponse(rendering.address("/rules", portal=portal, published=told.version), status_code=303)


def _lines(rules: Ruleset, frame: Frame) -> list[tuple[str, str]]:
    """The rules in words, label by label."""
    say = frame.texts.say
    return [(say(label), say(message("{value}", value=value))) for label, value in lines(rules)]


async def _rejudging(web: WebState, version: int, frame: Frame) -> RejudgingProgress | None:
    """How far open cards are judged again; None where that was never begun."""
    try:
        return await rejudging_progress(web, version=version, portal=frame.portal.id)
    except WebProblem as problem:
        if problem.code == "rejudging_unknown":
            return None
        raise
