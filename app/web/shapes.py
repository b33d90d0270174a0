"""The shapes that the API answers with; the pages show the same ones. Texts are in the reader's language.

Made by `story.py` and `listing.py` from what the store keeps.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from app.web.clock_shapes import ClocksView

CardType = Literal["lead", "deal", "contact", "company"]
TYPE_NAMES: dict[int, CardType] = {1: "lead", 2: "deal", 3: "contact", 4: "company"}


class CardLine(BaseModel):
    """One card and what its last run made of it."""

    portal: int = Field(description="Our number of the portal.")
    type: CardType
    id: int = Field(description="The card's id in the portal.")
    title: str | None
    outcome: str | None = Field(description="Of a lead: deal, company, junk, review or needs_data.")
    grade: str | None = Field(description="Of a deal: AAA, BBB, CCC or none.")
    checklist: str | None = Field(description="Of a deal: items done of the self-check list, e.g. 5/7.")
    why: str = Field(description="The reason in one line.")
    state: str = Field(description="open, final, deleted, or parked until a person replays it.")
    parked_reason: str | None
    stage: str | None = Field(description="STATUS_ID of the stage as last seen.")
    responsible: int | None = Field(description="The responsible user's id in the portal.")
    company: int | None
    first_seen_at: datetime
    judged_at: datetime | None
    address: str = Field(description="The card in the portal.")


class CardPage(BaseModel):
    """Cards, the last judged first."""

    items: list[CardLine]
    total: int
    limit: int
    offset: int


class OtherSource(BaseModel):
    """Another known source of a fact and what it says."""

    source: str
    text: str


class FactView(BaseModel):
    """One fact as it was read, or why it is not known."""

    name: str
    label: str
    kind: str
    value: Any = Field(description="As stored with the run; null is unknown.")
    text: str = Field(description="The value for people; empty when unknown.")
    source: str = Field(description="Card and field, e.g. lead.UF_CRM_OGON_STEAM_TPH.")
    problem: str | None = Field(description="Why a filled-in value could not be understood.")
    others: list[OtherSource]


class FlipView(BaseModel):
    """What would turn a finding around."""

    fact: str
    value: Any
    text: str


class FindingView(BaseModel):
    """A criterion's result: yes passed, no failed, or unknown."""

    criterion: str
    label: str
    truth: str
    why: str
    flip: FlipView | None


class CheckView(BaseModel):
    """One item of the self-check list."""

    name: str
    truth: str
    text: str


class VerdictView(BaseModel):
    """What a run decided, and why."""

    stage: str = Field(description="lead_gate, deal_grade, or segment for a company.")
    outcome: str | None
    grade: str | None
    segment: str | None = Field(description="Of a company: new, regular, sleeping or nurture; null for none.")
    possible: list[str] = Field(description="Grades that answers still missing could make.")
    client: str | None
    request: str | None
    declined: bool | None
    exemption: str | None
    checklist_score: str | None
    checklist: list[CheckView]
    questions: list[str]
    why: str
    findings: list[FindingView]


class ActionView(BaseModel):
    """One planned write and what became of it."""

    position: int
    key: str
    kind: str
    state: str = Field(description="planned, started, done, skipped or failed.")
    payload: dict[str, Any]
    result: Any
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None


class RunView(BaseModel):
    """One pass of the card through the flow."""

    id: int
    status: str
    mode: str
    opened_at: datetime
    closed_at: datetime | None
    journal_id: int | None = Field(description="The journal row that asked for this run, where known.")
    ruleset_version: int | None
    seen: dict[str, Any] = Field(description="The card's stage and times as this run read them.")
    verdict: VerdictView | None
    facts: list[FactView]
    actions: list[ActionView] = Field(description="The plan, in order, with results.")
    held: list[str] = Field(description="What was wanted and left undone, and why.")
    error: str | None


class HintView(BaseModel):
    """A journal row that asked for this card to be judged."""

    id: int
    received_at: datetime
    source: str = Field(description="webhook, robot, sweep, timer, replay or rules.")
    event: str
    change: str | None
    lane: int = Field(description="0 hot, 1 normal, 2 background.")
    dispatched_at: datetime | None


class PassedOver(BaseModel):
    """A member of the pool who could not get the card."""

    user: int
    name: str
    why: str = Field(description="In the reader's language.")


class AssignmentView(BaseModel):
    """Whom a pool chose for the card, or that nobody could take it."""

    at: datetime
    user: int | None = Field(description="Null: nobody could take it, and it stays with its owner.")
    name: str | None
    from_user: int | None = Field(description="Whose the card was.")
    from_name: str | None
    pool: int | None = Field(description="Our number of the pool; null where the card is of none.")
    pool_name: str | None
    reason: str = Field(description="arrival, or what made the card pass on, e.g. breach.")
    why: str | None = Field(description="turn; free_turn: by one given back earlier; knows_client: costs no turn.")
    text: str = Field(description="Both in one line, in the reader's language.")
    passed_over: list[PassedOver]
    cost_turn: bool
    given_back_at: datetime | None = Field(description="When the turn was given back.")
    given_back_why: str | None


class Story(BaseModel):
    """All that is known of one card."""

    card: CardLine
    current: RunView | None = Field(description="The newest run that came to a verdict.")
    runs: list[RunView] = Field(description="The newest first.")
    next_before_run: int | None = Field(description="Ask again with `before_run` set to this for older runs.")
    assignments: list[AssignmentView] = Field(description="Who got the card and why, the newest first.")
    clocks: ClocksView = Field(description="How it was answered, round by round, and whose it was.")
    hints: list[HintView] = Field(description="The newest first; rows older than JOURNAL_KEEP_DAYS are gone.")


class Queued(BaseModel):
    """The card is on the queue once more."""

    journal_id: int
    message: str


class PortalLine(BaseModel):
    """A portal we serve, without its secrets."""

    id: int
    name: str
    domain: str
    member_id: str | None = Field(description="Learned from the first delivery where it was not given.")
    enabled: bool
    requests_per_second: float
    burst: int
    language: str
    time_zone: str | None
    integration_user_id: int | None
    created_at: datetime
    trouble: str | None = Field(description="Why the portal takes no call at all; null while it does.")
    trouble_since: datetime | None


class RejectedLine(BaseModel):
    """A delivery that was not used."""

    id: int
    received_at: datetime
    portal: int | None
    event: str
    reason: str
    body: Any = Field(description="The delivery without its tokens, where it was kept.")


class RejectedPage(BaseModel):
    """Rejected deliveries, the newest first, and today's counts of those that left no row."""

    items: list[RejectedLine]
    next_before: int | None = Field(description="Ask again with `before` set to this for older ones.")
    counted_today: dict[str, int] = Field(description="E.g. webhook_refused: wrong or missing token.")
