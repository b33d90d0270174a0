"""`/rejected`: deliveries that could not be used, with the reason."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from app.store import counters, journal, portals
from app.web import rendering, words
from app.web.pages.frame import zone_of
from app.web.sign_in import SignedIn
from app.web.state import Web
from app.web.story import rejected_line

router = APIRouter()
_PER_PAGE = 50


@router.get("/rejected", dependencies=[SignedIn])
async def rejected_page(
    web: Web, request: Request, *, before: Annotated[int | None, Query(ge=1)] = None
) -> HTMLResponse:
    """Rejected deliveries of all portals, the newest first."""
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
        words=words.ALL,
        zone=zone_of(known[0] if len(known) == 1 else None),
        entries=[rejected_line(entry) for entry in found],
        older=found[-1].id if len(found) == _PER_PAGE else None,
        domains={portal.id: portal.domain for portal in known},
        counted=totals,
    )
