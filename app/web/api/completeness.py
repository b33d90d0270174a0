"""`/api/v1/completeness`: the proof that nothing was lost, for one day of one portal."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.store import completeness
from app.store.completeness import Completeness, Reason
from app.web.api.queries import Day, WhichPortal
from app.web.asking import portal_asked
from app.web.problems import ProblemAnswer
from app.web.shapes import TYPE_NAMES, CardType
from app.web.state import Web

router = APIRouter(tags=["completeness"], responses={404: {"model": ProblemAnswer}})


class MissingCard(BaseModel):
    """A card that changed that day and is not judged."""

    type: CardType
    id: int = Field(description="The card's id in the portal.")
    changed_at: datetime
    reason: Reason = Field(description="waiting: on the queue, or a retry is due; missed: neither.")


class DayOfPortal(BaseModel):
    """Leads and deals of one calendar day; changed = judged + parked + deleted + difference."""

    portal: int = Field(description="Our number of the portal.")
    day: date = Field(description="A day of the portal's calendar.")
    swept_at: datetime | None = Field(
        description="When the last complete sweep began: what changed in the portal later is not counted yet."
    )
    changed: int = Field(description="Cards that the sweep saw changed.")
    heard: int = Field(description="Cards of which a webhook or a robot told.")
    judged: int = Field(description="Changed cards that were judged as they stood after the change.")
    only_by_sweep: int = Field(description="Changed cards of which no webhook told.")
    parked: int = Field(description="Changed cards that wait for a person to replay them.")
    deleted: int = Field(description="Changed cards that are no longer in the portal.")
    difference: int = Field(description="Changed cards that are none of these. Anything but zero wants a look.")
    waiting: int = Field(description="Of the difference: cards on the queue, or with a retry that is due.")
    missing: list[MissingCard] = Field(
        description="The difference by card, at most 100; the missed before the waiting."
    )


@router.get("/completeness")
async def day_of_portal(
    web: Web,
    *,
    day: Annotated[Day | None, Query(description="YYYY-MM-DD; today by the portal's clock if left out.")] = None,
    portal: WhichPortal = None,
) -> DayOfPortal:
    """Cards changed in the portal, events heard, cards judged, found only by the sweep, parked, difference.

    Figures of days older than JOURNAL_KEEP_DAYS are gone.
    """
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        asked = day or await completeness.today(session, where.id, now=web.clock())
        return _shape(await completeness.of_day(session, where.id, asked))


def _shape(told: Completeness) -> DayOfPortal:
    return DayOfPortal(
        portal=told.portal_id,
        day=told.day,
        swept_at=told.swept_at,
        changed=told.changed,
        heard=told.heard,
        judged=told.judged,
        only_by_sweep=told.only_by_sweep,
        parked=told.parked,
        deleted=told.deleted,
        difference=told.difference,
        waiting=told.waiting,
        missing=[
            MissingCard(
                type=TYPE_NAMES[one.entity_type_id], id=one.card_id, changed_at=one.changed_at, reason=one.reason
            )
            for one in told.missing
        ],
    )
