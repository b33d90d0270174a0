"""`/cards/{type}/{id}`: the story of one card, and the button that has it judged once more."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.store.cards import CardKey
from app.web import assigned, rendering
from app.web.asking import LARGEST_ID, TypeName, entity_type_id, portal_of_card, replay, story_of
from app.web.clocks import clocks_told
from app.web.pages.frame import framed, stage_names
from app.web.sign_in import HeadForm, SignedIn, local
from app.web.state import Web
from app.web.story import Teller, hint

router = APIRouter()

_RUNS = 20
CardId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("/cards/{type}/{id}", dependencies=[SignedIn])
async def card_page(
    web: Web,
    request: Request,
    *,
    type: TypeName,  # noqa: A002 - in the address
    id: CardId,  # noqa: A002 - in the address
    portal: int | None = None,
    before_run: Annotated[int | None, Query(ge=1)] = None,
    queued: bool = False,
) -> HTMLResponse:
    """The story of one card."""
    type_id = entity_type_id(type)
    async with web.database.reading() as session:
        where = await portal_of_card(session, portal, type_id, id)
        told = await story_of(session, where, CardKey(where.id, type_id, id), runs=_RUNS, before_run=before_run)
        frame = await framed(session, request, where)
        stages = await stage_names(session, where)
    teller = Teller(frame.texts, where)
    return rendering.page(
        request,
        "card.html",
        **frame.context,
        card=teller.card(told.card),
        stages=stages,
        current=teller.run(told.current) if told.current else None,
        runs=[teller.run(chapter) for chapter in told.runs],
        older=told.runs[-1].run.id if len(told.runs) == _RUNS else None,
        assignments=assigned.told(frame.texts, told.assigned),
        hints=[hint(entry) for entry in told.hints],
        clocks=clocks_told(frame.texts, told.clocks),
        queued=queued,
    )


@router.post("/cards/{type}/{id}/replay")
async def replay_card(
    web: Web,
    caller: HeadForm,
    *,
    type: TypeName,  # noqa: A002 - in the address
    id: CardId,  # noqa: A002 - in the address
    portal: Annotated[int, Form()],
    next: Annotated[str, Form(max_length=2000)] = "",  # noqa: A002 - in the form
) -> Response:
    """Put the card on the queue again and come back to its story, or to the page that the button stood on."""
    type_id = entity_type_id(type)
    async with web.database.writing() as session:
        where = await portal_of_card(session, portal, type_id, id)
        await replay(session, CardKey(where.id, type_id, id), by=caller.name)
    story = f"/cards/{type}/{id}?portal={where.id}&queued=1"
    return RedirectResponse(local(next) if next else story, status_code=303)
