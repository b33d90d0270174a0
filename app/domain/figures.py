"""What reports count of a card, in a narrow row: made of a run's facts and verdict, or of a mere list row.

Pure; called by `app/pipeline/process.py` when a run ends and by the sweep and the backfill for what they list. Unknown
stays unknown (None): a report says of how many cards something is known.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from app.domain.difference import link
from app.domain.facts import Facts, Truth, all_of
from app.domain.printed import day, moment
from app.domain.ruleset import Heat, Ruleset
from app.domain.snapshot import Entity, RawCard, Semantics
from app.domain.verdict import DealVerdict, Finding, LeadVerdict

Ending = Literal["open", "won", "lost"]
HeatName = Literal["hot", "warm", "other"]
ENDINGS: Final[dict[Semantics, Ending]] = {"process": "open", "success": "won", "failure": "lost"}
SOLVENCY: Final = "turnover"
"""The fact whose criteria say whether a client can pay."""
ROLES: Final = ("economic", "technical", "user")
_LISTED: Final = (
    "id", "createdTime", "updatedTime", "movedTime", "stageId", "stageSemanticId", "sourceId", "assignedById",
    "companyId",
)  # fmt: skip
LISTED: Final = {Entity.LEAD: _LISTED, Entity.DEAL: (*_LISTED, "categoryId", "closedate", "leadId")}
"""What lists have to select for `standing`."""
_MARKS: Final = {Truth.YES: "y", Truth.NO: "n", Truth.UNKNOWN: "u"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFigures:
    """Where a lead or deal stands, as any list tells it.

    `updated_at`: the card's `updatedTime`; a row read at an older state never replaces a newer one. `closed_on`: the
    day it closed, None while it is open. `pipeline` is 0 of leads.
    """

    card_id: int
    created_at: datetime
    updated_at: datetime | None
    closed_on: date | None
    pipeline: int
    stage_id: str | None
    ending: Ending
    source: str | None
    responsible: int | None
    company_id: int | None
    lead_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadJudged:
    """What judging a lead adds. `solvent`: the criteria on turnover; `failed`: what was certainly not met, by name."""

    outcome: str
    heat: HeatName
    client: str
    request: str
    solvent: str
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DealJudged:
    """What judging a deal adds; money in RUB, `turnover` and `steam_tph` (t/h) of its client, who is of the `industry`.

    `checklist`: y, n or u (not known) for each of the seven items, in their order. `roles`: which of the buying centre
    are covered, of `economic`, `technical`, `user`; None where nobody filled it in.
    """

    grade: str
    heat: HeatName
    amount: Decimal | None
    profit: Decimal | None
    declined: bool
    exemption: str | None
    client: str
    checklist: str
    roles: tuple[str, ...] | None
    industry: str | None
    turnover: Decimal | None
    steam_tph: Decimal | None


Judged: TypeAlias = LeadJudged | DealJudged


def standing(
    card: RawCard,
    semantics: Semantics,
    *,
    source: str | None,
    pipeline: int,
    closed_on: date | None,
    seen_at: datetime,
) -> CardFigures:
    """Where the card stands; `seen_at` stands in for a creation time that the portal does not print."""
    ending = ENDINGS[semantics]
    return CardFigures(
        card_id=int(card["id"]),
        created_at=moment(card.get("createdTime")) or seen_at,
        updated_at=moment(card.get("updatedTime")),
        closed_on=None if ending == "open" else closed_on,
        pipeline=pipeline,
        stage_id=str(card["stageId"]) if card.get("stageId") else None,
        ending=ending,
        source=source or None,
        responsible=link(card.get("assignedById")),
        company_id=link(card.get("companyId")),
        lead_id=link(card.get("leadId")),
    )


def closing_day(entity: Entity, card: RawCard) -> date | None:
    """The day a closed card closed, as the portal prints it: a deal's close date, else when it was moved last."""
    printed = (card.get("closedate") if entity is Entity.DEAL else None) or card.get("movedTime")
    return day(printed)


def judged(verdict: LeadVerdict | DealVerdict, facts: Facts, rules: Ruleset) -> Judged:
    """What the verdict and its facts add."""
    heat = heat_of(verdict, rules)
    if isinstance(verdict, LeadVerdict):
        failed = dict.fromkeys(finding.criterion for finding in verdict.findings if finding.truth is Truth.NO)
        return LeadJudged(
            outcome=verdict.outcome.value,
            heat=heat,
            client=verdict.client.value,
            request=verdict.request.value,
            solvent=_solvent(verdict.findings).value,
            failed=tuple(failed),
        )
    covered = facts.codes("roles")
    return DealJudged(
        grade=verdict.grade.value,
        heat=heat,
        amount=facts.number("amount"),
        profit=facts.number("margin"),
        declined=verdict.declined,
        exemption=verdict.exemption.value if verdict.exemption else None,
        client=verdict.client.value,
        checklist="".join(_MARKS[item.truth] for item in verdict.checklist),
        roles=None if covered is None else tuple(role for role in ROLES if role in _folded(covered)),
        industry=facts.code("industry"),
        turnover=facts.number("turnover"),
        steam_tph=facts.number("steam_tph"),
    )


def heat_of(verdict: LeadVerdict | DealVerdict, rules: Ruleset) -> HeatName:
    """How hot the rules call a card with this verdict."""

    def is_one(heat: Heat) -> bool:
        if isinstance(verdict, LeadVerdict):
            return verdict.outcome in heat.outcomes
        return verdict.grade in heat.grades

    if is_one(rules.targets.hot_cards):
        return "hot"
    return "warm" if is_one(rules.targets.warm_cards) else "other"


def _solvent(findings: tuple[Finding, ...]) -> Truth:
    """Unknown where the rules ask nothing about it."""
    told = [finding.truth for finding in findings if finding.criterion == SOLVENCY]
    return all_of(told) if told else Truth.UNKNOWN


def _folded(codes: tuple[str, ...]) -> set[str]:
    return {code.casefold() for code in codes}
