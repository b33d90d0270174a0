"""A card's clocks as the API tells them and its page shows them: rounds, who had it, what did not count, owners."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class TargetView(BaseModel):
    """Which target a round had since when."""

    since: datetime
    target: Literal["hot", "warm", "other"]
    minutes: int = Field(description="Working minutes allowed.")
    text: str = Field(description="In the reader's language: hot, 15 minutes.")
    run: int | None = Field(description="The run that changed it.")


class HolderView(BaseModel):
    """Who had the card in a round, from when to when."""

    user: int | None = Field(description="The user's id in the portal; null is nobody.")
    name: str | None
    since: datetime
    until: datetime | None = Field(description="Null: has it still.")
    due_at: datetime | None = Field(description="When the holder's own time runs out, or ran out.")
    seconds: int | None = Field(description="Working time; null while it runs.")
    took: str | None = Field(description="The same in the reader's language.")


class ResponseView(BaseModel):
    """The first response of a round."""

    at: datetime
    user: int | None
    name: str | None
    kind: str | None = Field(description="call_out, call_in, letter, meeting or chat.")
    text: str = Field(description="The kind in the reader's language.")
    source: str | None = Field(description="The portal's row that proves it, e.g. activity-880.")
    made_from_call: bool = Field(description="The card was made out of a talk: the client had his response.")


class PassedContact(BaseModel):
    """A contact that is no response, or of which nobody can tell."""

    at: datetime | None
    kind: str | None
    text: str | None = Field(description="The kind in the reader's language.")
    user: int | None
    name: str | None
    source: str
    doubtful: bool = Field(description="True: it may have been the response.")
    why: str = Field(description="In the reader's language.")


class RoundView(BaseModel):
    """One round of a card: from its arrival, or its reopening, to the first response."""

    state: str = Field(description="waiting, met, missed, closed or not_seen.")
    text: str = Field(description="The state in the reader's language.")
    arrived_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    warned_at: datetime | None
    breached_at: datetime | None
    deal: int | None = Field(description="The deal that goes on with the round of its lead.")
    system_seconds: int | None = Field(description="Working time until a person was assigned; null: not over yet.")
    system_took: str | None = Field(description="The same in the reader's language.")
    person_seconds: int | None = Field(description="Working time of those who had it; null while the clock runs.")
    person_took: str | None
    response: ResponseView | None
    targets: list[TargetView] = Field(description="The last one stands; the others are history.")
    holders: list[HolderView]
    not_counted: list[PassedContact]
    unread: list[str] = Field(description="What may not be read: a response may be in it. In the reader's language.")


class OwnerView(BaseModel):
    """Whose the card was, until the next line."""

    user: int | None
    name: str | None
    since: datetime = Field(description="From then on at the latest, as far as we saw; the portal keeps no history.")


class ClocksView(BaseModel):
    """The clocks of one card."""

    rounds: list[RoundView] = Field(description="The last one first.")
    owners: list[OwnerView] = Field(description="The first one first.")
