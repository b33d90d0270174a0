"""`/`: what is to be done now, each with the one thing that helps; and whether everything of today was judged."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from app.store import calendar, cards, completeness, counters, reactions, second_looks, today
from app.store.cards import Card, CardKey
from app.store.database import ReadSession
from app.store.reactions import KeptReaction, ReactionFilter
from app.store.second_looks import LookFilter
from app.web import rendering, words
from app.web.bars import bar
from app.web.pages.frame import frame_of
from app.web.sign_in import SignedIn
from app.web.state import Web
from app.web.story import Teller

router = APIRouter()

_SHOWN = 5
"""Of each kind; the rest is behind a link."""
_CLOCKS = 8


@router.get("/", dependencies=[SignedIn])
async def today_page(web: Web, request: Request, *, portal: int | None = None) -> HTMLResponse:
    """What waits, and how the day went so far."""
    now = web.clock()
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
        where = frame.portal.id
        ahead = await calendar.offset(session, where)
        day = calendar.day_of(now, ahead)
        told = await completeness.of_day(session, where, day, limit=_SHOWN)
        judged = await today.judged_since(session, where, calendar.starts(day, ahead))
        parked = await today.parked(session, where, limit=_SHOWN)
        review = await today.undecided(session, where, "review", limit=_SHOWN)
        asked = await today.undecided(session, where, "needs_data", limit=_SHOWN)
        clocks = await _clocks(session, where)
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
        most=_CLOCKS,
        now=now,
        looks=looks,
        refused=sum(count.value for count in counted if count.name == "webhook_refused"),
    )


async def _clocks(session: ReadSession, portal_id: int) -> list[tuple[KeptReaction, Card | None]]:
    """Who waits for a first response, worst first, each with its card where that was judged."""
    running = await reactions.listed(session, ReactionFilter(portal_id=portal_id, running=True), limit=_CLOCKS)
    return [(one, await cards.get(session, CardKey(portal_id, one.entity_type_id, one.card_id))) for one in running]
