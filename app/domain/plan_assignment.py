"""The plan of a card's owner: give it to whom it was assigned, unless a person decided otherwise.

Called by `plan.py`. Pure. Who gets the card was chosen before (`app/pipeline/assigning.py`); here it is only compared
with whose the card is.
"""

from dataclasses import dataclass, replace

from app.domain import destination
from app.domain.actions import AssignItem, Plan, UpdateItem
from app.domain.assignment import Assigned, is_work
from app.domain.difference import link
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, PortalDictionary, RawCard, Snapshot
from app.domain.touch import Hold
from app.domain.verdict import Verdict

OWNER = "assignedById"


@dataclass(frozen=True, slots=True)
class Handover:
    """The write that is still missing, and the card as its new owner will have it, for the rest of the plan."""

    snapshot: Snapshot
    action: AssignItem | None = None
    hold: Hold | None = None

    def with_rest(self, rest: Plan) -> Plan:
        """One plan of both. Where a route of the rules writes the owner, that goes before a pool's choice."""
        action = self.action
        if action is not None and any(_sets_owner(one, action) for one in rest.actions):
            action = None
        held = (*rest.held, *((self.hold,) if self.hold else ()))
        return Plan((*((action,) if action else ()), *rest.actions), held)


def assignment_key(entity: Entity, card_id: int, assignment_id: int) -> str:
    """The key of the write that carries an assignment out."""
    return f"{entity.name.lower()}-{card_id}:assign:{assignment_id}"


def held_key(entity: Entity, card_id: int, assignment_id: int) -> str:
    """What the key of the notice that nobody could be assigned begins with."""
    return f"{entity.name.lower()}-{card_id}:held:{assignment_id}"


def plan_assignment(
    verdict: Verdict, snapshot: Snapshot, assigned: Assigned | None, dictionary: PortalDictionary
) -> Handover:
    """What is missing for the card to be with whom it was assigned to. What is closed or refused stays where it is."""
    entity, card = _card(snapshot)
    if assigned is None or not is_work(verdict) or _closed(entity, card, dictionary):
        return Handover(snapshot)
    owner = link(card.get(OWNER))
    if assigned.user is None:
        return Handover(snapshot, hold=Hold.NOBODY_FREE if owner == assigned.from_user else None)
    if owner == assigned.user:
        return Handover(snapshot)
    if assigned.taken_by_person(owner):
        return Handover(snapshot, hold=Hold.PERSON_ASSIGNED)
    key = assignment_key(entity, card["id"], assigned.id)
    action = AssignItem(key, entity, card["id"], assigned.user)
    return Handover(_owned_by(snapshot, assigned.user), action)


def _card(snapshot: Snapshot) -> tuple[Entity, RawCard]:
    if isinstance(snapshot, LeadSnapshot):
        return Entity.LEAD, snapshot.lead
    return Entity.DEAL, snapshot.deal


def _closed(entity: Entity, card: RawCard, dictionary: PortalDictionary) -> bool:
    stage = destination.stage_at(dictionary, entity, destination.place(entity, card))
    return destination.semantics_of(card, stage) != "process"


def _owned_by(snapshot: LeadSnapshot | DealSnapshot, user: int) -> Snapshot:
    """So that what is made of the card, and the to-dos on it, are the new owner's."""
    if isinstance(snapshot, LeadSnapshot):
        return replace(snapshot, lead={**snapshot.lead, OWNER: user})
    return replace(snapshot, deal={**snapshot.deal, OWNER: user})


def _sets_owner(other: object, action: AssignItem) -> bool:
    return (
        isinstance(other, UpdateItem)
        and (other.entity, other.item_id) == (action.entity, action.item_id)
        and OWNER in other.fields
    )
