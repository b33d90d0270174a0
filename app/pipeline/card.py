"""Which card is judged, and what of it is kept on its row for lists and for linked cards."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.domain import figures
from app.domain.actions import AssignItem, MoveItem, Plan
from app.domain.destination import place, semantics_of, stage_at
from app.domain.difference import link
from app.domain.figures import CardFigures
from app.domain.messages import message_to_json
from app.domain.printed import day, moment
from app.domain.snapshot import Entity, LeadSnapshot, PortalDictionary, RawCard, Snapshot
from app.domain.verdict import DealVerdict, LeadVerdict, Verdict
from app.store.cards import CardKey, CardValues


@dataclass(frozen=True, slots=True)
class CardRef:
    """A card of a portal."""

    portal_id: int
    entity: Entity
    card_id: int

    def __str__(self) -> str:
        return f"portal {self.portal_id} {self.entity.name.lower()} {self.card_id}"

    @property
    def key(self) -> CardKey:
        """As the store names it."""
        return CardKey(self.portal_id, int(self.entity), self.card_id)

    def address(self, domain: str) -> str:
        """Where people open it in the portal of that domain."""
        return f"https://{domain}/crm/{self.entity.name.lower()}/details/{self.card_id}/"


def raw_card(snapshot: Snapshot) -> RawCard:
    """The judged card itself, as the portal printed it."""
    return snapshot.lead if isinstance(snapshot, LeadSnapshot) else snapshot.deal


def owner_of(card: RawCard) -> int | None:
    """Whose the card is; None is nobody's."""
    return link(card.get("assignedById"))


def after_moves(card: RawCard, plan: Plan) -> RawCard:
    """The card as it stands, and whose it is, once the plan is carried out."""
    for action in plan.actions:
        if isinstance(action, MoveItem):
            pipeline = {} if action.pipeline is None else {"categoryId": action.pipeline}
            card = {**card, "stageId": action.stage, **pipeline}
        elif isinstance(action, AssignItem):
            card = {**card, "assignedById": action.user}
    return card


def seen(entity: Entity, snapshot: Snapshot, dictionary: PortalDictionary) -> dict[str, Any]:
    """What a run keeps of the card beside its facts: where it stood, whose it was, who changed it last.

    `semantics` is of the stage; `source` where the card came from, for a deal without one where its lead did;
    `close_date` of a deal, YYYY-MM-DD as printed. None where the portal prints nothing.
    """
    raw = raw_card(snapshot)
    closes = day(raw.get("closedate"))
    lead = None if isinstance(snapshot, LeadSnapshot) else snapshot.lead
    return {
        "stage": raw.get("stageId"),
        "semantics": semantics_of(raw, stage_at(dictionary, entity, place(entity, raw))),
        "moved_time": raw.get("movedTime"),
        "moved_by": raw.get("movedBy"),
        "updated_time": raw.get("updatedTime"),
        "updated_by": link(raw.get("updatedBy")),
        "responsible": owner_of(raw),
        "source": raw.get("sourceId") or (lead or {}).get("sourceId") or None,
        "close_date": closes.isoformat() if closes else None,
    }


def card_values(entity: Entity, raw: RawCard, verdict: Verdict, dictionary: PortalDictionary) -> CardValues:
    """What the card's row says after a run that left the card as `raw`."""
    stage = stage_at(dictionary, entity, place(entity, raw))
    values: CardValues = {
        "title": str(raw.get("title") or ""),
        "stage_id": raw.get("stageId"),
        "assigned_by_id": owner_of(raw),
        "company_id": link(raw.get("companyId")),
        "created_time": moment(raw.get("createdTime")),
        "updated_time": moment(raw.get("updatedTime")),
        "moved_time": moment(raw.get("movedTime")),
        "moved_by": link(raw.get("movedBy")),
        "why": message_to_json(verdict.why),
        "state": "open" if semantics_of(raw, stage) == "process" else "final",
    }
    match verdict:
        case LeadVerdict():
            values["outcome"] = verdict.outcome.value
        case DealVerdict():
            values["grade"] = verdict.grade.value
            values["checklist"] = verdict.checklist_score
    return values


def standing(
    entity: Entity, left: RawCard, snapshot: Snapshot, dictionary: PortalDictionary, now: datetime
) -> CardFigures:
    """Where the card stands after a run that left it as `left`, for reports."""
    raw, stands = raw_card(snapshot), place(entity, left)
    moved = stands != place(entity, raw)
    today = now.astimezone(dictionary.zone).date()
    return figures.standing(
        left,
        semantics_of(left, stage_at(dictionary, entity, stands)),
        source=seen(entity, snapshot, dictionary)["source"],
        pipeline=stands[0],
        # What the portal prints of a card that we have just closed is from before.
        closed_on=today if moved else figures.closing_day(entity, left) or today,
        seen_at=now,
    )


def listed(entity: Entity, row: RawCard, seen_at: datetime) -> CardFigures:
    """Where a card stands as a list of the portal tells it, fields LISTED."""
    return figures.standing(
        row,
        semantics_of(row, None),
        source=str(row.get("sourceId") or "") or None,
        pipeline=place(entity, row)[0],
        closed_on=figures.closing_day(entity, row),
        seen_at=seen_at,
    )
