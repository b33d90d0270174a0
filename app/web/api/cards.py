"""`/api/v1/cards`: the list, the story of one card, and its replay."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from app.store.cards import CardKey, CardState
from app.texts import catalogue
from app.web import assigned
from app.web.access import AsHead
from app.web.api.queries import LARGEST_NUMBER, Limit, WhichPortal
from app.web.asking import (
    LARGEST_ID,
    Grade,
    Outcome,
    TypeName,
    Wanted,
    entity_type_id,
    listed,
    portal_asked,
    portal_of_card,
    replay,
    story_of,
)
from app.web.clocks import clocks_told
from app.web.problems import ProblemAnswer
from app.web.rendering import language_of
from app.web.shapes import CardPage, CardType, Queued, Story
from app.web.state import Web
from app.web.story import Teller, hint

router = APIRouter(prefix="/cards", tags=["cards"], responses={404: {"model": ProblemAnswer}})

CardId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="The card's id in the portal.")]
CardKind = Annotated[TypeName, Path(description="lead or 1, deal or 2, company or 4.")]


@router.get("")
async def list_cards(
    web: Web,
    request: Request,
    *,
    type: Annotated[CardType | None, Query(description="Only cards of this type.")] = None,  # noqa: A002 - the API's word
    outcome: Annotated[Outcome | None, Query(description="Only leads with this outcome.")] = None,
    grade: Annotated[Grade | None, Query(description="Only deals of this grade.")] = None,
    state: Annotated[CardState | None, Query(description="E.g. parked: cards that wait for a replay.")] = None,
    q: Annotated[str, Query(max_length=200, description="Part of the title, or the card's id.")] = "",
    portal: WhichPortal = None,
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> CardPage:
    """Cards, the last judged first."""
    wanted = Wanted(type=type, outcome=outcome, grade=grade, state=state, q=q, limit=limit, offset=offset)
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        found, total = await listed(session, where, wanted)
    teller = Teller(catalogue(language_of(request)), where)
    return CardPage(items=[teller.card(card) for card in found], total=total, limit=limit, offset=offset)


@router.get("/{type}/{id}")
async def card_story(
    web: Web,
    request: Request,
    *,
    type: CardKind,  # noqa: A002 - the API's word
    id: CardId,  # noqa: A002 - the API's word
    portal: WhichPortal = None,
    runs: Annotated[int, Query(ge=1, le=200, description="How many runs to tell of.")] = 20,
    before_run: Annotated[
        int | None, Query(ge=1, le=LARGEST_NUMBER, description="Only runs older than this one.")
    ] = None,
) -> Story:
    """The whole story of one card: what was known, what was found, what was planned, what came of it."""
    type_id = entity_type_id(type)
    async with web.database.reading() as session:
        where = await portal_of_card(session, portal, type_id, id)
        told = await story_of(session, where, CardKey(where.id, type_id, id), runs=runs, before_run=before_run)
    teller = Teller(catalogue(language_of(request)), where)
    return Story(
        card=teller.card(told.card),
        current=teller.run(told.current) if told.current else None,
        runs=[teller.run(chapter) for chapter in told.runs],
        next_before_run=told.runs[-1].run.id if len(told.runs) == runs else None,
        assignments=assigned.told(teller.texts, told.assigned),
        clocks=clocks_told(teller.texts, told.clocks),
        hints=[hint(entry) for entry in told.hints],
    )


@router.post("/{type}/{id}/replay", status_code=202)
async def replay_card(
    web: Web,
    caller: AsHead,
    *,
    type: CardKind,  # noqa: A002 - the API's word
    id: CardId,  # noqa: A002 - the API's word
    portal: WhichPortal = None,
) -> Queued:
    """Put the card on the queue again, parked or not; a worker judges it on its present state."""
    type_id = entity_type_id(type)
    async with web.database.writing() as session:
        where = await portal_of_card(session, portal, type_id, id)
        number = await replay(session, CardKey(where.id, type_id, id), by=caller.name)
    return Queued(journal_id=number, message="The card is on the queue; its story shows the new run in a moment.")
