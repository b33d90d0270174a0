"""What must hold for any facts and rules: judging never raises, unknown is never the worst, better never worse."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.facts import Fact, Facts, value_from_json
from app.domain.messages import in_english, message_from_json
from app.domain.qualify import STAGES, qualify
from app.domain.record import verdict_to_json
from app.domain.ruleset import DEFAULT, Criterion, GradeCell, Minimum, Nomenclature, Operator, Ruleset
from app.domain.snapshot import Entity
from app.domain.verdict import DealVerdict, Grade, LeadVerdict, Outcome, Verdict
from tests.domain.judging_world import (
    SENSIBLE,
    TODAY,
    answers,
    criteria,
    fact,
    law,
    numbers,
    sensible_facts,
    wild_facts,
)

whole = st.integers(-5, 10**12)
nomenclatures = st.builds(
    Nomenclature,
    sections=st.sampled_from(((), (5,), (99,))),
    products=st.sampled_from(((), (8,))),
    terms=st.lists(st.sampled_from(("котёл", "boiler", "", "-")), max_size=2).map(tuple),
)
cells = st.builds(GradeCell, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(Grade))
minimums = st.builds(
    Minimum,
    profit=st.none() | st.decimals(),
    amount=st.none() | numbers,
    regular_exempt=st.booleans(),
    regular_won_deals=whole,
    regular_months=whole,
    trial_exempt=st.booleans(),
)
policies = st.sampled_from(("review", "junk", "deal"))
rulesets = st.builds(
    Ruleset,
    client=st.lists(criteria, max_size=3).map(tuple),
    request=st.lists(criteria, max_size=2).map(tuple),
    unfitting_request_of_client=st.sampled_from(("company", "review", "junk")),
    nomenclature=nomenclatures,
    fitting_request_of_no_client=policies,
    grades=st.lists(cells, max_size=8).map(tuple),
    urgency_days=whole,
    minimum=minimums,
)
cautious = st.builds(
    lambda policy, unfitting, request, nomenclature, amount: replace(
        DEFAULT,
        fitting_request_of_no_client=policy,
        unfitting_request_of_client=unfitting,
        request=request,
        nomenclature=nomenclature,
        minimum=replace(DEFAULT.minimum, amount=amount),
    ),
    policies,
    st.sampled_from(("company", "review", "junk")),
    st.sampled_from(((), (Criterion("steam_tph", Operator.OVER, Decimal("0.5")),), (DEFAULT.client[2],))),
    nomenclatures,
    st.sampled_from((None, Decimal(1000))),
)
stages = st.sampled_from(sorted(STAGES))


def lead(facts: Facts, ruleset: Ruleset) -> LeadVerdict:
    verdict = qualify(Entity.LEAD, facts, ruleset, TODAY)
    assert isinstance(verdict, LeadVerdict)
    return verdict


def deal(facts: Facts, ruleset: Ruleset) -> DealVerdict:
    verdict = qualify(Entity.DEAL, facts, ruleset, TODAY)
    assert isinstance(verdict, DealVerdict)
    return verdict


def said(verdict: Verdict) -> list[str]:
    flips = [finding.flip for finding in verdict.findings if finding.flip]
    lines = [verdict.why, *(finding.why for finding in verdict.findings), *(flip.said for flip in flips)]
    return [in_english(line) for line in lines]


@law
@given(stages, wild_facts() | sensible_facts(), rulesets, st.dates())
def test_judging_never_raises_and_always_explains(entity: Entity, facts: Facts, ruleset: Ruleset, today: date) -> None:
    assert all(said(qualify(entity, facts, ruleset, today)))


@law
@given(stages, sensible_facts(), rulesets)
def test_a_verdict_can_be_stored_and_said_again(entity: Entity, facts: Facts, ruleset: Ruleset) -> None:
    verdict = qualify(entity, facts, ruleset, TODAY)
    stored = json.loads(json.dumps(verdict_to_json(verdict), sort_keys=True))
    assert message_from_json(stored["why"]) == verdict.why
    assert [message_from_json(found["why"]) for found in stored["findings"]] == [f.why for f in verdict.findings]
    assert [found["truth"] for found in stored["findings"]] == [f.truth.value for f in verdict.findings]


@law
@given(stages, sensible_facts(), rulesets)
def test_stored_facts_are_judged_as_they_were(entity: Entity, facts: Facts, ruleset: Ruleset) -> None:
    again = Facts.from_json(json.loads(json.dumps(facts.to_json())))
    assert qualify(entity, again, ruleset, TODAY) == qualify(entity, facts, ruleset, TODAY)


@law
@given(stages, sensible_facts(), cautious)
def test_every_flip_flips_its_finding(entity: Entity, facts: Facts, ruleset: Ruleset) -> None:
    verdict = qualify(entity, facts, ruleset, TODAY)
    for at, finding in enumerate(verdict.findings):
        if finding.flip is None:
            continue
        flip = finding.flip
        turned = facts.with_(Fact(flip.fact, flip.kind, value_from_json(flip.kind, flip.value)))
        after = next(
            found
            for found in qualify(entity, turned, ruleset, TODAY).findings[at:]
            if found.criterion == finding.criterion
        )
        assert after.truth.value == ("no" if finding.truth.value == "yes" else "yes")


@st.composite
def facts_and_an_answer(draw: st.DrawFn) -> tuple[Facts, Facts, str]:
    """Facts with an unknown among them, and the same facts with that one answered."""
    facts = draw(sensible_facts())
    unknown = [name for name, found in facts.items() if not found.known]
    assume(unknown)
    name = draw(st.sampled_from(unknown))
    return facts, facts.with_(fact(name, draw(SENSIBLE[name]))), name


@law
@given(facts_and_an_answer(), cautious)
def test_what_was_decided_with_an_unknown_no_answer_undoes(facts: tuple[Facts, Facts, str], ruleset: Ruleset) -> None:
    """Unknown never gives the worst: junk and decline stand whatever the answer turns out to be."""
    before, after, name = facts
    gated = lead(before, ruleset)
    # The desk's word beats rows that said No: that is no unknown being answered but a known No being overruled.
    overruled = name == "request_answer" and gated.request.known
    if gated.outcome is Outcome.JUNK and not overruled:
        assert lead(after, ruleset).outcome is Outcome.JUNK
    if deal(before, ruleset).declined:
        assert deal(after, ruleset).declined


BETTER: dict[str, tuple[Any, ...]] = {
    # Worst first; the unknown stands apart and is compared with the best only.
    "steam_tph": (Decimal(0), Decimal(3), Decimal("3.1"), Decimal(9)),
    "turnover": (Decimal(1), Decimal(10**9), Decimal(10**9 + 1)),
    "industry": ("OTHER", "MANUFACTURING"),
    "request_answer": ("no", "yes"),
    "company_linked": (False, True),
    "need": ("no", "yes"),
    "budget": ("no", "yes"),
    "needed_by": (date(2026, 9, 30), date(2026, 9, 29)),
    "margin": (Decimal(-1), Decimal("4999.99"), Decimal(5000)),
    "amount": (Decimal(1), Decimal(1000)),
    "trial": (False, True),
    "prospects": (False, True),
    "won_deals": ((), (TODAY,) * 2, (TODAY,) * 3),
}
# Not decided and decided by a person stand side by side: an answer may turn the one into the other.
WORTH = {Outcome.JUNK: 0, Outcome.REVIEW: 1, Outcome.NEEDS_DATA: 1, Outcome.COMPANY: 2, Outcome.DEAL: 3}
GRADES = [Grade.NONE, Grade.CCC, Grade.BBB, Grade.AAA]


@st.composite
def facts_and_better_ones(draw: st.DrawFn) -> tuple[Facts, Facts]:
    facts = draw(sensible_facts())
    name = draw(st.sampled_from(sorted(BETTER)))
    values = BETTER[name]
    worse = draw(st.integers(0, len(values) - 1))
    better = draw(st.integers(worse, len(values) - 1))
    from_unknown = draw(st.booleans())
    before = facts.with_(fact(name, None if from_unknown else values[worse]))
    return before, facts.with_(fact(name, values[-1] if from_unknown else values[better]))


@law
@given(facts_and_better_ones(), cautious)
def test_a_better_fact_never_gives_a_worse_outcome(facts: tuple[Facts, Facts], ruleset: Ruleset) -> None:
    before, after = (lead(each, ruleset).outcome for each in facts)
    assert WORTH[after] >= WORTH[before]


@law
@given(facts_and_better_ones(), cautious)
def test_a_better_fact_never_gives_a_worse_grade_nor_a_decline(facts: tuple[Facts, Facts], ruleset: Ruleset) -> None:
    before, after = (deal(each, ruleset) for each in facts)
    assert GRADES.index(after.grade) >= GRADES.index(before.grade)
    assert after.checklist_score >= before.checklist_score
    assert before.declined or not after.declined


@law
@given(sensible_facts(), cautious, answers)
def test_possible_grades_are_those_that_answers_reach(facts: Facts, ruleset: Ruleset, answer: str) -> None:
    verdict = deal(facts, ruleset)
    values: dict[str, list[Any]] = {
        "need": ["yes", "no"],
        "budget": ["yes", "no"],
        "needed_by": list(BETTER["needed_by"]),
    }
    stale = (facts.day("needed_by") or TODAY) < TODAY
    reached = {verdict.grade}
    todo = [facts]
    for name, possible in values.items():
        if not facts[name].known or (name == "needed_by" and stale):
            todo = [each.with_(fact(name, value)) for each in todo for value in possible]
    reached |= {deal(each, ruleset).grade for each in todo}
    assert set(verdict.possible) == reached - {verdict.grade}
