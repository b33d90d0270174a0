"""The pages: the list of cards, the story of one, rejected deliveries. Only for who is signed in."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.store import cards, completeness, counters, journal, portals
from app.store.cards import CardKey, CardState
from app.store.portals import Portal
from app.texts import catalogue
from app.web import rendering, words
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
from app.web.bars import bar
from app.web.shapes import CardType
from app.web.sign_in import HeadForm, SignedIn
from app.web.state import Web
from app.web.story import Teller, hint, rejected_line

router = APIRouter(include_in_schema=False)

_PER_PAGE = 50
_RUNS = 20
_FORGOTTEN = 5
CardId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("/", dependencies=[SignedIn])
async def card_list(
    web: Web,
    request: Request,
    *,
    type: CardType | Literal[""] = "",  # noqa: A002 - in the address
    outcome: Outcome | Literal[""] = "",
    grade: Grade | Literal[""] = "",
    state: CardState | Literal[""] = "",
    q: Annotated[str, Query(max_length=200)] = "",
    portal: int | None = None,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> HTMLResponse:
    """Cards with verdict, grade and reason; counts; filter and search."""
    wanted = Wanted(
        type=type or None,
        outcome=outcome or None,
        grade=grade or None,
        state=state or None,
        q=q,
        limit=_PER_PAGE,
        offset=(page - 1) * _PER_PAGE,
    )
    async with web.database.reading() as session:
        known = await portals.list_portals(session)
        if not known:
            return rendering.page(request, "no_portal.html")
        where = await portal_asked(session, portal if portal is not None else known[0].id)
        found, total = await listed(session, where, wanted)
        counts = await cards.counts(session, portal_id=where.id)
        today = await completeness.today(session, where.id, now=web.clock())
        told = await completeness.of_day(session, where.id, today, limit=_FORGOTTEN)
    teller = Teller(catalogue(rendering.language_of(request)), where)
    return rendering.page(
        request,
        "cards.html",
        **_context(where),
        portals=known,
        cards=[teller.card(card) for card in found],
        total=total,
        page=page,
        pages=max(1, -(-total // _PER_PAGE)),
        wanted=wanted,
        filtered=any((type, outcome, grade, state, q.strip())),
        outcomes=bar(counts.outcomes, tuple(words.OUTCOMES)),
        grades=bar(counts.grades, tuple(words.GRADES)),
        parked=counts.states.get("parked", 0),
        told=told,
    )


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
        told = await story_of(session, CardKey(where.id, type_id, id), runs=_RUNS, before_run=before_run)
    teller = Teller(catalogue(rendering.language_of(request)), where)
    return rendering.page(
        request,
        "card.html",
        **_context(where),
        card=teller.card(told.card),
        current=teller.run(told.current) if told.current else None,
        runs=[teller.run(chapter) for chapter in told.runs],
        older=told.runs[-1].run.id if len(told.runs) == _RUNS else None,
        hints=[hint(entry) for entry in told.hints],
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
) -> Response:
    """Put the card on the queue again and come back to its story."""
    type_id = entity_type_id(type)
    async with web.database.writing() as session:
        where = await portal_of_card(session, portal, type_id, id)
        await replay(session, CardKey(where.id, type_id, id), by=caller.name)
    return RedirectResponse(f"/cards/{type}/{id}?portal={where.id}&queued=1", status_code=303)


@router.get("/rejected", dependencies=[SignedIn])
async def rejected_page(
    web: Web, request: Request, *, before: Annotated[int | None, Query(ge=1)] = None
) -> HTMLResponse:
    """Deliveries that could not be used, with the reason."""
    async with web.database.reading() as session:
        found = await journal.recent(session, rejected_only=True, before_id=before, limit=_PER_PAGE)
        counted = await counters.since(session, web.clock().date())
        known = await portals.list_portals(session)
    totals: dict[str, int] = {}
    for count in counted:
        if count.name in words.COUNTED:
            totals[count.name] = totals.get(count.name, 0) + count.value
    return rendering.page(
        request,
        "rejected.html",
        **_context(known[0] if len(known) == 1 else None),
        entries=[rejected_line(entry) for entry in found],
        older=found[-1].id if len(found) == _PER_PAGE else None,
        domains={portal.id: portal.domain for portal in known},
        counted=totals,
    )


def _context(portal: Portal | None) -> Mapping[str, Any]:
    return {"words": words.ALL, "portal": portal, "zone": _zone(portal)}


def _zone(portal: Portal | None) -> tzinfo:
    """The portal's own clock, where it is known."""
    if portal is None or not portal.time_zone:
        return UTC
    return datetime.strptime(portal.time_zone, "%z").tzinfo or UTC
