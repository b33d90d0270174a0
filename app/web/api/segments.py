"""`/api/v1/segments`: companies as new, regular, sleeping and nurture; whom to speak to next; one company's history."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from app.domain.messages import message
from app.store import companies, segments
from app.store.portals import Portal
from app.store.segments import Named, SegmentChange, SegmentFilter, SegmentName
from app.texts import Catalogue, catalogue
from app.web.api.queries import LARGEST_NUMBER, Day, Limit, WhichPortal
from app.web.asking import LARGEST_ID, portal_asked
from app.web.problems import ProblemAnswer, WebProblem
from app.web.rendering import language_of, said
from app.web.state import Web

router = APIRouter(prefix="/segments", tags=["segments"], responses={404: {"model": ProblemAnswer}})

Owner = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER, description="Only companies of this user of the portal.")]


class SegmentCounts(BaseModel):
    """How many companies are in each segment now."""

    new: int = Field(description="Bought, and too little to be regular.")
    regular: int
    sleeping: int = Field(description="Bought once and nothing for more days than the rules allow.")
    nurture: int = Field(description="Target companies without a fitting request, that never bought.")


class SegmentLine(BaseModel):
    """One company and its segment. Days are the portal's."""

    company: int = Field(description="The company's id in the portal.")
    title: str | None
    address: str = Field(description="The company in the portal.")
    segment: SegmentName | None = Field(description="The one in force. Null: in none, any more or yet.")
    since: date | None
    decided: SegmentName | None = Field(description="What the facts alone say; differs where a person set another.")
    by_person: bool
    why: str
    owner: int | None = Field(description="The responsible user's id in the portal.")
    won_deals: int | None = Field(description="Null: they could not be read whole.")
    last_purchase_on: date | None
    changes_on: date | None = Field(description="When it will be in another segment if it buys nothing.")
    last_contact_at: datetime | None = Field(description="As of the last look at the company.")
    next_contact_on: date | None = Field(description="When its owner is asked to speak to it; null while asked.")
    todo: int | None = Field(description="The open to-do that asks, by its id in the portal.")


class SegmentPage(BaseModel):
    """Companies, whose next contact is due first at the beginning."""

    counts: SegmentCounts = Field(description="Of all companies of the portal, or of the owner asked for.")
    items: list[SegmentLine]
    total: int
    limit: int
    offset: int


class SegmentTurn(BaseModel):
    """A company came into another segment."""

    changed_on: date = Field(description="Its first day in the new segment, as far as the facts tell it.")
    seen_at: datetime
    before: SegmentName | None
    after: SegmentName | None
    won_back: bool = Field(description="It slept and bought again.")
    by_person: bool
    owner: int | None = Field(description="Whose company it was then.")
    run: int = Field(description="The run that saw it.")


class SegmentStory(BaseModel):
    """One company's segment and how it came there, the newest change first."""

    now: SegmentLine
    changes: list[SegmentTurn]


@router.get("")
async def list_segments(
    web: Web,
    request: Request,
    *,
    segment: Annotated[SegmentName | None, Query(description="Only this segment.")] = None,
    owner: Owner = None,
    due_by: Annotated[Day | None, Query(description="Only those whose next contact is due by that day.")] = None,
    portal: WhichPortal = None,
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> SegmentPage:
    """Counts by segment, and the companies."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        wanted = SegmentFilter(portal_id=where.id, segment=segment, owner=owner, due_by=due_by)
        found = await segments.listed(session, wanted, limit=limit, offset=offset)
        total = await segments.count(session, wanted)
        counted = await segments.counts(session, where.id, owner=owner)
    texts = catalogue(language_of(request))
    return SegmentPage(
        counts=SegmentCounts(**counted),
        items=[_line(one, where, texts) for one in found],
        total=total,
        limit=limit,
        offset=offset,
    )


@router.get("/{company}")
async def segment_story(
    web: Web,
    request: Request,
    *,
    company: Annotated[int, Path(ge=1, le=LARGEST_ID, description="The company's id in the portal.")],
    portal: WhichPortal = None,
) -> SegmentStory:
    """One company: its segment now, and every change of it."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        now = await segments.get(session, where.id, company)
        titles = await companies.some(session, where.id, [company])
        changes = await segments.history(session, where.id, company)
    if now is None:
        told = message(
            "Company {id} has no segment: it neither bought nor is in the nurture group. Check the id.",
            id=str(company),
        )
        raise WebProblem(404, "segment_unknown", told)
    title = titles[company].title if company in titles else None
    return SegmentStory(
        now=_line(Named(now, title), where, catalogue(language_of(request))),
        changes=[_turn(change) for change in changes],
    )


def _line(named: Named, portal: Portal, texts: Catalogue) -> SegmentLine:
    one = named.company
    return SegmentLine(
        company=one.company_id,
        title=named.title,
        address=f"https://{portal.domain}/crm/company/details/{one.company_id}/",
        segment=one.segment,
        since=one.since,
        decided=one.decided,
        by_person=one.by_person,
        why=said(texts, one.why),
        owner=one.owner,
        won_deals=one.won_deals,
        last_purchase_on=one.last_purchase_on,
        changes_on=one.changes_on,
        last_contact_at=one.last_contact_at,
        next_contact_on=one.next_contact_on,
        todo=one.todo_id if one.todo_done_at is None else None,
    )


def _turn(change: SegmentChange) -> SegmentTurn:
    return SegmentTurn(
        changed_on=change.changed_on,
        seen_at=change.seen_at,
        before=change.before,
        after=change.after,
        won_back=change.won_back,
        by_person=change.by_person,
        owner=change.owner,
        run=change.run_id,
    )
