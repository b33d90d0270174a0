"""`/rules/replays`: drafts tried on recorded cards: how far each is, what would change, which cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.domain.rejudge import Gap
from app.domain.replay import Truth
from app.web import rendering
from app.web.api.preview import JudgedType
from app.web.api.queries import LARGEST_NUMBER
from app.web.api.replays import Cell, cancel_replay, list_replays, one_replay, replay_cards
from app.web.pages.frame import frame_of
from app.web.sign_in import HeadForm, SignedIn
from app.web.state import Web

router = APIRouter()

ReplayId = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]
_PER_PAGE = 100
_SHADES = 5
_ORDER = (
    "deal",
    "company",
    "review",
    "needs_data",
    "junk",
    "AAA",
    "BBB",
    "CCC",
    "none",
    "AAA_declined",
    "BBB_declined",
    "CCC_declined",
    "none_declined",
)


@dataclass(frozen=True, slots=True)
class Square:
    """Cards that were judged so and would be judged so; `shade` 0 to 5 is the share of the row."""

    before: str
    after: str
    cards: int
    shade: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """Old results down, new results across, of one type of card."""

    type: JudgedType
    labels: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Square]]]


def matrices(cells: Sequence[Cell]) -> list[Matrix]:
    """The counts of a replay as squares, a matrix for each type of card."""
    made: list[Matrix] = []
    for kind in ("lead", "deal"):
        counted = {(cell.before, cell.after): cell.cards for cell in cells if cell.type == kind}
        known = {label for pair in counted for label in pair}
        labels = [label for label in _ORDER if label in known] + sorted(known - set(_ORDER))
        rows: list[tuple[str, Sequence[Square]]] = []
        for before in labels:
            counts = {after: counted.get((before, after), 0) for after in labels}
            if any(counts.values()):
                rows.append((before, _squares(before, counts)))
        if rows:
            made.append(Matrix(kind, labels, rows))
    return made


def _squares(before: str, counts: Mapping[str, int]) -> list[Square]:
    whole = sum(counts.values())
    return [Square(before, after, cards, -(-cards * _SHADES // whole)) for after, cards in counts.items()]


@router.get("/rules/replays", dependencies=[SignedIn])
async def replays_page(web: Web, request: Request, *, portal: int | None = None) -> HTMLResponse:
    """The last replays of the portal."""
    async with web.database.reading() as session:
        frame = await frame_of(session, request, portal)
    told = await list_replays(web, request, portal=frame.portal.id)
    return rendering.page(request, "rules_replays.html", **frame.context, replays=told)


@router.get("/rules/replays/{id}", dependencies=[SignedIn])
async def replay_page(web: Web, request: Request, *, id: ReplayId) -> HTMLResponse:  # noqa: A002 - in the address
    """One replay; while it is under way the page loads itself anew."""
    told = await one_replay(web, request, id=id)
    async with web.database.reading() as session:
        frame = await frame_of(session, request, told.portal)
    return rendering.page(
        request,
        "rules_replay.html",
        **frame.context,
        replay=told,
        matrices=matrices(told.result.matrix),
        under_way=told.state in {"waiting", "running"},
    )


@router.get("/rules/replays/{id}/cards", dependencies=[SignedIn])
async def replay_cards_page(
    web: Web,
    request: Request,
    *,
    id: ReplayId,  # noqa: A002 - in the address
    type: JudgedType | None = None,  # noqa: A002 - in the address
    before: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    to: Annotated[str | None, Query(max_length=40)] = None,
    gap: Gap | None = None,
    ended: Truth | None = None,
    after: Annotated[str | None, Query(pattern="^[12]-[0-9]{1,18}$")] = None,
) -> HTMLResponse:
    """The cards of one square of the matrix, or those that cannot be compared."""
    replay = await one_replay(web, request, id=id)
    told = await replay_cards(
        web, id=id, type=type, before=before, to=to, gap=gap, ended=ended, after=after, limit=_PER_PAGE
    )
    async with web.database.reading() as session:
        frame = await frame_of(session, request, replay.portal)
    return rendering.page(
        request, "rules_replay_cards.html", **frame.context, replay=replay, lines=told.items, further=told.next
    )


@router.post("/rules/replays/{id}/cancel")
async def cancel(web: Web, request: Request, caller: HeadForm, *, id: ReplayId) -> Response:  # noqa: A002 - in the address
    """End it; what it has counted stays."""
    await cancel_replay(web, request, caller, id=id)
    return RedirectResponse(f"/rules/replays/{id}", status_code=303)
