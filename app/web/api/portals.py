"""`/api/v1/portals` and `/api/v1/rejected`: whom we serve, and what we did not take from them."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.store import counters, journal, portals
from app.web.api.queries import LARGEST_PORTAL, Before, Limit
from app.web.shapes import PortalLine, RejectedPage
from app.web.state import Web
from app.web.story import rejected_line

router = APIRouter(tags=["portals"])


@router.get("/portals")
async def list_portals(web: Web) -> list[PortalLine]:
    """The portals we serve; secrets are never shown."""
    async with web.database.reading() as session:
        known = await portals.list_portals(session)
    return [PortalLine.model_validate(portal, from_attributes=True) for portal in known]


@router.get("/rejected")
async def list_rejected(
    web: Web,
    *,
    portal: Annotated[int | None, Query(ge=1, le=LARGEST_PORTAL, description="Only of this portal.")] = None,
    limit: Limit = 50,
    before: Before = None,
) -> RejectedPage:
    """Deliveries that proved themselves and could not be used, with the reason; and counts of all others."""
    async with web.database.reading() as session:
        found = await journal.recent(session, portal_id=portal, rejected_only=True, before_id=before, limit=limit)
        counted = await counters.since(session, web.clock().date())
    totals: dict[str, int] = {}
    for count in counted:
        totals[count.name] = totals.get(count.name, 0) + count.value
    return RejectedPage(
        items=[rejected_line(entry) for entry in found],
        next_before=found[-1].id if len(found) == limit else None,
        counted_today=totals,
    )
