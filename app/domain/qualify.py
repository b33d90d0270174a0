"""Facts, ruleset and date in, verdict out: the one door to judging.

Called by the pipeline, by preview, replay and what-if. Judging never raises, whatever the facts and the rules hold.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import TypeAlias

from app.domain.facts import Facts
from app.domain.ruleset import Ruleset
from app.domain.snapshot import Entity
from app.domain.stages import deal_grade, lead_gate
from app.domain.verdict import Verdict

Judge: TypeAlias = Callable[[Facts, Ruleset, date], Verdict]

STAGES: Mapping[Entity, Judge] = {
    Entity.LEAD: lead_gate.judge,
    Entity.DEAL: deal_grade.judge,
}
"""The qualification stages, by the cards they judge."""


def qualify(entity: Entity, facts: Facts, ruleset: Ruleset, today: date) -> Verdict:
    """Judge a card; `today` is the date in the portal's time zone. Raises KeyError for a card that has no stage."""
    return STAGES[entity](facts, ruleset, today)
