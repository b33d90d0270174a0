"""`/api/v1/reactions`: who waits for a first response, worst first; `/cards/{type}/{id}/reactions`: one card."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.domain.reaction import State
from app.store import reactions
from app.store.cards import CardKey
from app.store.reactions import KeptHolder, KeptReaction, KeptTarget, ReactionFilter
from app.web.api.cards import CardId, CardKind
from app.web.api.queries import LARGEST_NUMBER, Limit, Moment, WhichPortal
from app.web.asking import entity_type_id, portal_asked, portal_of_card
from app.web.problems import ProblemAnswer
from app.web.shapes import TYPE_NAMES
from app.web.state import Web

router = APIRouter(tags=["reactions"], responses={404: {"model": ProblemAnswer}})

Holder = Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER, description="Whose the card is, or was at the end.")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="Leave out so many.")]


class ReactionLine(BaseModel):
    """One round of one card: from its arrival, or its reopening, to the first response."""

    type: str = Field(description="lead or deal.")
    id: int
    arrived_at: datetime = Field(description="When the client came; of a deal, when its lead did.")
    assigned_at: datetime | None = Field(description="When a person got the card; null: nobody had it yet.")
    responded_at: datetime | None
    responded_by: int | None = Field(description="The user's id in the portal.")
    kind: str | None = Field(description="call_out, call_in, letter, meeting or chat.")
    source: str | None = Field(description="The portal's row that proves it, e.g. activity-880.")
    made_from_call: bool = Field(description="The card was made out of a talk: the client had his response.")
    closed_at: datetime | None
    holder: int | None = Field(description="The user's id in the portal; null: nobody.")
    holder_since: datetime | None
    holder_due_at: datetime | None = Field(description="When the holder's own time runs out.")
    target: Literal["hot", "warm", "other"]
    minutes: int = Field(description="Working minutes allowed.")
    due_at: datetime | None = Field(description="When the time of the card runs out.")
    system_seconds: int | None = Field(description="Working time while it was nobody's; null while the clock runs.")
    person_seconds: int | None = Field(description="Working time of those who had it; null while the clock runs.")
    state: State
    met: Literal["yes", "no", "unknown"]
    missing: list[str] = Field(description="Sources that could not be read: an earlier response may be in them.")
    doubtful: list[str] = Field(description="Contacts of which the portal does not tell whether they reached anybody.")
    warned_at: datetime | None
    breached_at: datetime | None


class ReactionPage(BaseModel):
    """Rounds, the most urgent first."""

    items: list[ReactionLine]


class HolderLine(BaseModel):
    """Who had the card in a round, until the next line."""

    arrived_at: datetime = Field(description="Of the round.")
    user: int | None = Field(description="The user's id in the portal; null is nobody.")
    since: datetime
    until: datetime | None
    due_at: datetime | None
    working_seconds: int | None


class TargetLine(BaseModel):
    """Which target a round had since when."""

    arrived_at: datetime = Field(description="Of the round.")
    since: datetime
    target: Literal["hot", "warm", "other"]
    minutes: int
    from_target: Literal["hot", "warm", "other"] | None
    from_minutes: int | None
    run: int | None = Field(description="The run that changed it.")


class CardReactions(BaseModel):
    """All rounds of a card, the last one first, who had it in them, and how its targets changed."""

    rounds: list[ReactionLine]
    holders: list[HolderLine]
    targets: list[TargetLine]


@router.get("/reactions")
async def list_reactions(
    web: Web,
    *,
    portal: WhichPortal = None,
    running: Annotated[bool | None, Query(description="true: only who still waits; false: only what is over.")] = True,
    state: Annotated[State | None, Query(description="Only rounds in this state.")] = None,
    holder: Holder = None,
    due_before: Annotated[Moment | None, Query(description="Only where the time runs out before.")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> ReactionPage:
    """Who waits for a first response now, worst first. A lead that a deal goes on with is told as the deal."""
    async with web.database.reading() as session:
        where = await portal_asked(session, portal)
        wanted = ReactionFilter(
            portal_id=where.id,
            running=running,
            state=state.value if state else None,
            holder=holder,
            due_before=due_before,
        )
        found = await reactions.listed(session, wanted, limit=limit, offset=offset)
    return ReactionPage(items=[_line(one) for one in found])


@router.get("/cards/{type}/{id}/reactions")
async def card_reactions(
    web: Web,
    *,
    type: CardKind,  # noqa: A002 - the API's word
    id: CardId,  # noqa: A002 - the API's word
    portal: WhichPortal = None,
) -> CardReactions:
    """The clocks of one card: rounds, holders, targets."""
    type_id = entity_type_id(type)
    async with web.database.reading() as session:
        where = await portal_of_card(session, portal, type_id, id)
        kept = await reactions.of_card(session, CardKey(where.id, type_id, id))
    return CardReactions(
        rounds=[_line(one) for one in kept.rounds],
        holders=[_holder(one) for one in kept.holders],
        targets=[_target(one) for one in kept.targets],
    )


def _line(one: KeptReaction) -> ReactionLine:
    told = {name: getattr(one, name) for name in ReactionLine.model_fields if name not in {"type", "id", "source"}}
    return ReactionLine.model_validate(
        {**told, "type": TYPE_NAMES.get(one.entity_type_id, "lead"), "id": one.card_id, "source": one.source_id}
    )


def _holder(one: KeptHolder) -> HolderLine:
    told = {name: getattr(one, name) for name in HolderLine.model_fields if name != "user"}
    return HolderLine.model_validate({**told, "user": one.user_id})


def _target(one: KeptTarget) -> TargetLine:
    told = {name: getattr(one, name) for name in TargetLine.model_fields if name != "run"}
    return TargetLine.model_validate({**told, "run": one.run_id})
