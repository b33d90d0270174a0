"""`/cards`: every card with verdict, grade and reason; counts; filter and search."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.store import cards
from app.store.cards import CardState
from app.web import rendering, words
from app.web.asking import Grade, Outcome, Wanted, listed
from app.web.bars import bar
from app.web.pages.frame import frame_of
from app.web.shapes import CardType
from app.web.sign_in import SignedIn
from app.web.state import Web
from app.web.story import Teller

router = APIRouter()
_PER_PAGE = 50
_COUNTED = 10_000
"""Beyond that a list says only that there are more: counting a million to print a number would hold up the page."""


@router.get("/cards", dependencies=[SignedIn])
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
        frame = await frame_of(session, request, portal)
        found, total = await listed(session, frame.portal, wanted, at_most=_COUNTED + 1)
        counts = await cards.counts(session, portal_id=frame.portal.id)
    teller = Teller(frame.texts, frame.portal)
    return rendering.page(
        request,
        "cards.html",
        **frame.context,
        cards=[teller.card(card) for card in found],
        total=min(total, _COUNTED),
        more=total > _COUNTED,
        page=page,
        pages=_pages(total, page, whole=len(found) == _PER_PAGE),
        wanted=wanted,
        filtered=any((type, outcome, grade, state, q.strip())),
        outcomes=bar(counts.outcomes, tuple(words.OUTCOMES)),
        grades=bar(counts.grades, tuple(words.GRADES)),
        parked=counts.states.get("parked", 0),
    )


def _pages(total: int, page: int, *, whole: bool) -> int:
    """How many pages there are; where not all was counted, one more than this as long as pages are `whole`."""
    if total > _COUNTED:
        return page + whole
    return max(1, -(-total // _PER_PAGE))
