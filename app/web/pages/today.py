"""`/`: what is to be done now, each with the one thing that helps; and whether everything of today was judged."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.reports.scope import people_meant
from app.store import calendar, cards, completeness, counters, reactions, second_looks, today
from app.store.cards import Card, CardKey
from app.store.database import ReadSession
from app.store.reactions import KeptReaction, ReactionFilter
from app.store.second_looks import LookFilter
from app.web import rendering, words
from app.web.api.queries import LARGEST_NUMBER
from app.web.bars import bar
from app.web.pages.frame import frame_of
from app.web.sign_in import SignedIn
from app.web.state import Web
from app.web.story import Teller

router = APIRouter()

_SHOWN = 5
"""Of each kind; the rest is behind a link."""
_CLOCKS = 8
_Id = Annotated[int | None, Query(ge=0, le=LARGEST_NUMBER)]


@router.get("/", dependencies=[SignedIn])
async def today_page(
    web: Web,
    request: Request,
    *,
    portal: int | None = None,
    manager: _Id = None,
    department: _Id = None,
    pool: _Id = None,
) -> HTMLResponse:
    """What waits, and how the day went so far; narrowed as reports are, where a digest leads to it."""
    now = web.clock()
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
        where = frame.portal.id
        ahead = await calendar.offset(session, where)
        day = calendar.day_of(now, ahead)
        whose = await people_meant(session, where, manager=manager, department=department, pool=pool)
        told = await completeness.of_day(session, where, day, limit=_SHOWN)
        judged = await today.judged_since(session, where, calendar.starts(day, ahead), whose=whose)
        parked = await today.parked(session, where, limit=_SHOWN, whose=whose)
        review = await today.undecided(session, where, "review", limit=_SHOWN, whose=whose)
        asked = await today.undecided(session, where, "needs_data", limit=_SHOWN, whose=whose)
        clocks = await _clocks(session, where, whose)
        waiting = await reactions.waiting(session, where, now=now, holders=whose)
        looks = await second_looks.count(session, LookFilter(portal_id=where, answer="none"))
        counted = await counters.since(session, now.date())
    teller = Teller(frame.texts, frame.portal)
    return rendering.page(
        request,
        "today.html",
        **frame.context,
        day=frame.texts.day(day),
        told=told,
        outcomes=bar(judged.outcomes, tuple(words.OUTCOMES)),
        grades=bar(judged.grades, tuple(words.GRADES)),
        standing=[
            (name, [teller.card(card) for card in one.cards], one.total)
            for name, one in (("parked", parked), ("review", review), ("needs_data", asked))
        ],
        clocks=[(one, teller.card(card) if card else None) for one, card in clocks],
        waiting=waiting,
        narrowed=whose is not None,
        now=now,
        looks=looks,
        refused=sum(count.value for count in counted if count.name == "webhook_refused"),
    )


async def _clocks(
    session: ReadSession, portal_id: int, whose: Collection[int] | None
) -> list[tuple[KeptReaction, Card | None]]:
    """Who waits for a first response, worst first, each with its card where that was judged."""
    wanted = ReactionFilter(portal_id=portal_id, running=True, at_work=True, holders=whose)
    running = await reactions.listed(session, wanted, limit=_CLOCKS)
    return [(one, await cards.get(session, CardKey(portal_id, one.entity_type_id, one.card_id))) for one in running]
