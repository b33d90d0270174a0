"""The plan: what is still to be written so that a card is what its verdict says.

Called by `app/pipeline/process.py` after qualifying and by previews. Pure: the card as it is, what we remember of it
and the links found go in; actions as data come out. A card that is already right gives an empty plan.
"""

from datetime import datetime

from app.domain.actions import Plan
from app.domain.assignment import Assigned
from app.domain.facts import Facts
from app.domain.given import Given
from app.domain.messages import Say
from app.domain.plan_assignment import plan_assignment
from app.domain.plan_deal import plan_deal
from app.domain.plan_lead import plan_lead
from app.domain.ruleset import Ruleset
from app.domain.snapshot import DealSnapshot, LeadSnapshot, Links, Memory, PortalDictionary, Snapshot
from app.domain.verdict import DealVerdict, LeadVerdict, Verdict


def plan(
    verdict: Verdict,
    snapshot: Snapshot,
    memory: Memory,
    links: Links,
    *,
    facts: Facts,
    ruleset: Ruleset,
    dictionary: PortalDictionary,
    now: datetime,
    say: Say,
    assigned: Assigned | None = None,
) -> Plan:
    """Actions in the order they are to be carried out; stage moves come last.

    `now` is aware; `say` renders what people in the portal read; `assigned` is what a pool chose last.
    Raises TypeError when the verdict is of one kind of card and the snapshot of another.
    """
    given = Given(memory, links, facts, ruleset, dictionary, now, say)
    handover = plan_assignment(verdict, snapshot, assigned, dictionary)
    match verdict, handover.snapshot:
        case LeadVerdict(), LeadSnapshot() as lead:
            return handover.with_rest(plan_lead(verdict, lead, given))
        case DealVerdict(), DealSnapshot() as deal:
            return handover.with_rest(plan_deal(verdict, deal, given))
        case _:
            raise TypeError(f"A {type(verdict).__name__} does not belong to a {type(snapshot).__name__}.")
