"""Facts, ruleset and date in, verdict out: the one door to judging.

Called by the pipeline, by preview, replay and what-if. Judging never raises, whatever the facts and the rules hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
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
    return STAGES[entity](_in_own_words(facts, ruleset), ruleset, today)


def _in_own_words(facts: Facts, ruleset: Ruleset) -> Facts:
    """The facts as this ruleset calls them and asks for them."""
    worded = [one for one in ruleset.facts if one.title or one.question]
    if not worded:
        return facts
    return facts.with_(
        *(replace(facts[one.name], title=one.title or "", question=one.question or "") for one in worded)
    )
