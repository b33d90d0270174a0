"""`/api/v1/cards/{type}/{id}/activities`: what people did on one card, whose it was, and what may be missing."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.domain.activity_kind import Activity, ActivityKind, WhyUnknown
from app.store import activities, histories, owner_changes
from app.store.cards import CardKey
from app.store.histories import History
from app.web.api.cards import CardId, CardKind
from app.web.api.queries import Before, Limit, WhichPortal
from app.web.asking import entity_type_id, portal_of_card
from app.web.problems import ProblemAnswer
from app.web.state import Web

router = APIRouter(prefix="/cards", tags=["cards"], responses={404: {"model": ProblemAnswer}})

_HAPPENED: dict[bool | None, Literal["yes", "no", "unknown"]] = {True: "yes", False: "no", None: "unknown"}


class ActivityLine(BaseModel):
    """One thing that somebody did, or means to do."""

    id: int = Field(description="The activity's id in the portal.")
    kind: ActivityKind = Field(description="What it is, seen from us: `out` is towards the client.")
    provider: str | None = Field(description="PROVIDER_ID as the portal prints it.")
    completed: bool
    happened: Literal["yes", "no", "unknown"] = Field(description="Whether it surely reached the client.")
    why_unknown: WhyUnknown | None = Field(description="Why the portal does not tell; only where unknown.")
    talk_seconds: int | None = Field(description="Of a call, once its statistics are read.")
    responsible: int | None = Field(description="The user's id in the portal.")
    author: int | None = Field(description="The user's id in the portal.")
    created_at: datetime | None
    start_at: datetime | None
    end_at: datetime | None
    updated_at: datetime | None


class OwnerLine(BaseModel):
    """Whose the card was, until the next line."""

    user: int | None = Field(description="The user's id in the portal; null is nobody.")
    since: datetime = Field(description="From then on at the latest.")


class HistoryLine(BaseModel):
    """How far one source of the portal's past is kept."""

    source: str = Field(description="activities, calls, chats, quotes, invoices, or moves or owners of either cards.")
    whole_since: datetime | None = Field(description="What happened before it may be missing; null: nothing is whole.")
    read_at: datetime | None
    refused: str | None = Field(description="Why the portal does not let us read it.")


class ActivityPage(BaseModel):
    """A card's activities, the newest first. None here is not none in the portal: `histories` tells what is kept."""

    items: list[ActivityLine]
    next_before: int | None = Field(description="Ask again with `before` set to this for older ones.")
    owners: list[OwnerLine] = Field(description="As far as we saw them; the portal keeps no such history.")
    histories: list[HistoryLine]


@router.get("/{type}/{id}/activities")
async def card_activities(
    web: Web,
    *,
    type: CardKind,  # noqa: A002 - the API's word
    id: CardId,  # noqa: A002 - the API's word
    portal: WhichPortal = None,
    before: Before = None,
    limit: Limit = 50,
) -> ActivityPage:
    """Calls, letters, meetings, chats, to-dos of one card, as far as they are kept."""
    type_id = entity_type_id(type)
    async with web.database.reading() as session:
        where = await portal_of_card(session, portal, type_id, id)
        card = CardKey(where.id, type_id, id)
        found = await activities.of_card(session, card, before=before, limit=limit)
        owners = await owner_changes.of_card(session, card)
        known = await histories.of_portal(session, where.id)
    return ActivityPage(
        items=[_line(one) for one in found],
        next_before=found[-1].activity_id if len(found) == limit else None,
        owners=[OwnerLine(user=one.user_id, since=one.since) for one in owners],
        histories=[_history(one) for one in known],
    )


def _line(activity: Activity) -> ActivityLine:
    return ActivityLine(
        id=activity.activity_id,
        kind=activity.kind,
        provider=activity.provider,
        completed=activity.completed,
        happened=_HAPPENED[activity.happened],
        why_unknown=activity.why_unknown,
        talk_seconds=activity.talk_seconds,
        responsible=activity.responsible_id,
        author=activity.author_id,
        created_at=activity.created_at,
        start_at=activity.start_at,
        end_at=activity.end_at,
        updated_at=activity.updated_at,
    )


def _history(known: History) -> HistoryLine:
    return HistoryLine(source=known.source, whole_since=known.whole_since, read_at=known.read_at, refused=known.refused)
