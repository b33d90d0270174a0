"""Stage one: the five outcomes, the questions that decide, and a brute-force oracle beside the gate."""

from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Any, Literal

import pytest

from app.domain.facts import Fact, Facts, FactValue, Kind, Row, Truth
from app.domain.messages import in_english, message
from app.domain.qualify import qualify
from app.domain.ruleset import DEFAULT, Criterion, Nomenclature, Operator, Ruleset
from app.domain.snapshot import Entity
from app.domain.verdict import LeadVerdict, Outcome
from tests.domain.judging_world import (
    CATALOG_ROW,
    FREE_ROW,
    NOT_TARGET,
    TARGET,
    TODAY,
    completions,
    fact,
    known,
)

Policy = Literal["review", "junk", "deal"]
Y, N, U = Truth.YES, Truth.NO, Truth.UNKNOWN
POLICIES: tuple[Policy, ...] = ("review", "junk", "deal")
STEAM, TURNOVER, INDUSTRY, REQUEST = "steam_tph", "turnover", "industry", "request_answer"


def gate(facts: Facts, ruleset: Ruleset = DEFAULT) -> LeadVerdict:
    verdict = qualify(Entity.LEAD, facts, ruleset, TODAY)
    assert isinstance(verdict, LeadVerdict)
    return verdict


def policy_of(policy: Policy) -> Ruleset:
    return replace(DEFAULT, fitting_request_of_no_client=policy)


def asked(verdict: LeadVerdict) -> list[str]:
    return [question.fact for question in verdict.questions]


YES: dict[str, FactValue | None] = {REQUEST: "yes", "company_title": "Plant"}
NO: dict[str, FactValue | None] = {REQUEST: "no", "company_title": "Plant"}
OPEN: dict[str, FactValue | None] = {"company_title": "Plant"}


@pytest.mark.parametrize(
    ("client", "request_", "policy", "outcome", "questions"),
    [
        pytest.param(TARGET, YES, "review", Outcome.DEAL, [], id="yes-yes"),
        pytest.param(TARGET, NO, "review", Outcome.COMPANY, [], id="yes-no"),
        pytest.param(NOT_TARGET, NO, "review", Outcome.JUNK, [], id="no-no"),
        pytest.param(NOT_TARGET, YES, "review", Outcome.REVIEW, [], id="no-yes-review"),
        pytest.param(NOT_TARGET, YES, "junk", Outcome.JUNK, [], id="no-yes-junk"),
        pytest.param(NOT_TARGET, YES, "deal", Outcome.DEAL, [], id="no-yes-deal"),
        pytest.param(TARGET, OPEN, "review", Outcome.NEEDS_DATA, [REQUEST], id="yes-open"),
        pytest.param(NOT_TARGET, OPEN, "review", Outcome.NEEDS_DATA, [REQUEST], id="no-open-review"),
        pytest.param(NOT_TARGET, OPEN, "deal", Outcome.NEEDS_DATA, [REQUEST], id="no-open-deal"),
        pytest.param(NOT_TARGET, OPEN, "junk", Outcome.JUNK, [], id="no-open-junk-alike"),
        pytest.param({}, YES, "deal", Outcome.DEAL, [], id="open-yes-deal-alike"),
        pytest.param({}, YES, "review", Outcome.NEEDS_DATA, [STEAM, TURNOVER, INDUSTRY], id="open-yes-review"),
        pytest.param({}, YES, "junk", Outcome.NEEDS_DATA, [STEAM, TURNOVER, INDUSTRY], id="open-yes-junk"),
        pytest.param({}, NO, "deal", Outcome.NEEDS_DATA, [STEAM, TURNOVER, INDUSTRY], id="open-no"),
        pytest.param({}, OPEN, "review", Outcome.NEEDS_DATA, [STEAM, TURNOVER, INDUSTRY, REQUEST], id="all-open"),
        pytest.param({}, OPEN, "deal", Outcome.NEEDS_DATA, [STEAM, TURNOVER, INDUSTRY, REQUEST], id="all-open-deal"),
        pytest.param({INDUSTRY: "MANUFACTURING"}, NO, "review", Outcome.NEEDS_DATA, [STEAM, TURNOVER], id="some-open"),
        pytest.param({STEAM: Decimal(3)}, NO, "review", Outcome.JUNK, [], id="one-no-settles-the-client"),
        pytest.param({INDUSTRY: "OTHER"}, OPEN, "review", Outcome.NEEDS_DATA, [REQUEST], id="no-client-asks-no-client"),
    ],
)
def test_outcomes(
    client: dict[str, FactValue],
    request_: dict[str, FactValue | None],
    policy: Policy,
    outcome: Outcome,
    questions: list[str],
) -> None:
    verdict = gate(known(client, **request_), policy_of(policy))
    assert verdict.outcome is outcome
    assert asked(verdict) == questions


@pytest.mark.parametrize(
    ("changes", "client"),
    [
        pytest.param({}, Y, id="all-over"),
        pytest.param({STEAM: Decimal(3)}, N, id="steam-3-is-not-over"),
        pytest.param({STEAM: Decimal("3.01")}, Y, id="steam-just-over"),
        pytest.param({STEAM: Decimal(0)}, N, id="steam-0-was-typed"),
        pytest.param({STEAM: None}, U, id="steam-unknown"),
        pytest.param({TURNOVER: Decimal(1_000_000_000)}, N, id="turnover-a-billion-is-not-over"),
        pytest.param({TURNOVER: Decimal("1000000000.01")}, Y, id="turnover-just-over"),
        pytest.param({INDUSTRY: "OTHER"}, N, id="other-industry"),
        pytest.param({INDUSTRY: None}, U, id="no-industry"),
        pytest.param({STEAM: None, INDUSTRY: "IT"}, N, id="no-beats-unknown"),
    ],
)
def test_target_client(changes: dict[str, FactValue | None], client: Truth) -> None:
    assert gate(known(TARGET, **changes)).client is client


TERMS = Nomenclature(terms=("котёл",))
SECTION = Nomenclature(sections=(5,), terms=("котёл",))


@pytest.mark.parametrize(
    ("values", "nomenclature", "request_"),
    [
        pytest.param({REQUEST: "yes", "rows": (FREE_ROW,)}, TERMS, Y, id="answer-beats-rows"),
        pytest.param({REQUEST: "no", "rows": (CATALOG_ROW,), "text": "котёл"}, TERMS, N, id="no-beats-rows-and-text"),
        pytest.param({REQUEST: "yes", "rows": None}, TERMS, Y, id="answer-needs-no-rows"),
        pytest.param({"rows": (FREE_ROW,), "text": "котёл"}, TERMS, N, id="rows-beat-text"),
        pytest.param({"rows": (FREE_ROW, CATALOG_ROW)}, TERMS, Y, id="one-row-is-enough"),
        pytest.param({"rows": None, "text": "котёл"}, TERMS, U, id="unread-rows-could-beat-text"),
        pytest.param({"rows": (Row(8, "Pump", None),), "text": "котёл"}, SECTION, U, id="unread-section"),
        pytest.param({"rows": (), "text": "нужен котел"}, TERMS, Y, id="text-proves-yes"),
        pytest.param({"rows": (), "text": "нужен чайник"}, TERMS, U, id="text-never-proves-no"),
        pytest.param({"rows": (), "text": "нужен котел"}, Nomenclature(), U, id="no-terms"),
        pytest.param({"rows": ()}, TERMS, U, id="nothing-said"),
        pytest.param({REQUEST: "perhaps", "rows": (CATALOG_ROW,)}, TERMS, Y, id="strange-answer-is-no-answer"),
    ],
)
def test_target_request(values: dict[str, FactValue | None], nomenclature: Nomenclature, request_: Truth) -> None:
    assert gate(known(TARGET, **values), replace(DEFAULT, nomenclature=nomenclature)).request is request_


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        pytest.param({"company_title": "Plant"}, Outcome.COMPANY, id="title"),
        pytest.param({"company_linked": True}, Outcome.COMPANY, id="linked"),
        pytest.param({}, Outcome.NEEDS_DATA, id="neither"),
        pytest.param({"company_title": "  "}, Outcome.NEEDS_DATA, id="blank"),
    ],
)
def test_a_nurture_company_needs_a_name(values: dict[str, FactValue | None], outcome: Outcome) -> None:
    verdict = gate(known(TARGET, **{REQUEST: "no", **values}))
    assert verdict.outcome is outcome
    assert asked(verdict) == (["company_title"] if outcome is Outcome.NEEDS_DATA else [])


@pytest.mark.parametrize(
    ("client", "answer"),
    [
        pytest.param(TARGET, "yes", id="deal"),
        pytest.param(NOT_TARGET, "no", id="junk"),
        pytest.param(NOT_TARGET, "yes", id="review"),
    ],
)
def test_other_outcomes_need_no_company(client: dict[str, FactValue], answer: str) -> None:
    assert gate(known(client, **{REQUEST: answer})).outcome is not Outcome.NEEDS_DATA


def test_questions_that_decide_come_before_the_company_name() -> None:
    assert asked(gate(known({**TARGET, STEAM: None}, **{REQUEST: "no"}))) == [STEAM]


def test_a_fact_with_two_rules_is_asked_once() -> None:
    most = Criterion(STEAM, Operator.AT_MOST, number=Decimal(100))
    verdict = gate(known({**TARGET, STEAM: None}, **YES), replace(DEFAULT, client=(*DEFAULT.client, most)))
    assert asked(verdict) == [STEAM]


def test_a_question_tells_what_was_wrong() -> None:
    facts = known(TARGET, **YES).with_(fact(STEAM, None, problem=message("“{v}” is not a number", v="три")))
    assert "три" in in_english(gate(facts).questions[0].said)
    assert "три" in in_english(gate(facts).why)


def test_an_incomplete_rule_never_makes_junk() -> None:
    ruleset = replace(DEFAULT, client=(Criterion(INDUSTRY, Operator.ONE_OF),))
    verdict = gate(known(TARGET, **NO), ruleset)
    assert verdict.outcome is Outcome.NEEDS_DATA
    assert "incomplete" in in_english(verdict.questions[0].said)


def test_an_own_fact_can_be_a_rule() -> None:
    ruleset = replace(DEFAULT, client=(Criterion("boilers", Operator.AT_LEAST, number=Decimal(2)),))
    facts = known({}, **YES)
    assert asked(gate(facts, ruleset)) == ["boilers"]
    assert gate(facts.with_(Fact("boilers", Kind.NUMBER, Decimal(2))), ruleset).outcome is Outcome.DEAL


@pytest.mark.parametrize(
    ("facts", "policy", "said"),
    [
        pytest.param(known(TARGET, **YES), "review", "Target client, fitting request", id="deal"),
        pytest.param(known(TARGET, **NO), "review", "the request does not fit", id="company"),
        pytest.param(known(NOT_TARGET, **NO), "review", "Steam consumption 2 t/h: not over 3", id="junk"),
        pytest.param(known(NOT_TARGET, **YES), "review", "a person decides", id="review"),
        pytest.param(known(NOT_TARGET, **YES), "deal", "Steam consumption 2 t/h: not over 3", id="deal-by-policy"),
        pytest.param(known({}, **YES), "deal", "whoever the client is", id="deal-whoever"),
        pytest.param(known(NOT_TARGET, **YES), "junk", "even when they fit", id="junk-by-policy"),
        pytest.param(known(NOT_TARGET), "junk", "the request would not change that", id="junk-whatever"),
        pytest.param(known({}, **NO), "review", "How much steam", id="needs-data"),
    ],
)
def test_the_reason_is_one_line(facts: Facts, policy: Policy, said: str) -> None:
    why = in_english(gate(facts, policy_of(policy)).why)
    assert said in why
    assert "\n" not in why
    assert "{" not in why


# The oracle: judge every way the unknown facts may still turn out, and see whether and by what the ends differ.

ANSWERS: dict[str, tuple[FactValue, ...]] = {
    STEAM: (Decimal(3), Decimal("3.1")),
    TURNOVER: (Decimal(10**9), Decimal(10**9 + 1)),
    INDUSTRY: ("MANUFACTURING", "OTHER"),
    REQUEST: ("yes", "no"),
}


def ends(values: dict[str, FactValue | None], policy: Policy, names: list[str]) -> dict[tuple[FactValue, ...], Outcome]:
    """Outcome by the answers, for every completion; the company's name is there, so that only answers matter."""
    found: dict[tuple[FactValue, ...], Outcome] = {}
    for answers in completions({name: ANSWERS[name] for name in names}):
        verdict = gate(known({**values, **answers}, company_title="Plant"), policy_of(policy))
        assert verdict.outcome is not Outcome.NEEDS_DATA
        found[tuple(answers.values())] = verdict.outcome
    return found


def decides(at: int, outcomes: dict[tuple[FactValue, ...], Outcome]) -> bool:
    """Whether in some completion another answer to this one question ends differently."""
    by_the_rest: dict[tuple[FactValue, ...], set[Outcome]] = {}
    for answers, outcome in outcomes.items():
        by_the_rest.setdefault((*answers[:at], *answers[at + 1 :]), set()).add(outcome)
    return any(len(outcomes_met) > 1 for outcomes_met in by_the_rest.values())


@pytest.mark.parametrize("policy", POLICIES)
def test_needs_data_and_its_questions_against_brute_force(policy: Policy) -> None:
    for combination in product(*((*values, None) for values in ANSWERS.values())):
        values: dict[str, Any] = dict(zip(ANSWERS, combination, strict=True))
        unknown = [name for name, value in values.items() if value is None]
        outcomes = ends(values, policy, unknown)
        verdict = gate(known(values, company_title="Plant"), policy_of(policy))
        if len(set(outcomes.values())) == 1:
            assert verdict.outcome in outcomes.values(), values
            assert not verdict.questions, values
        else:
            assert verdict.outcome is Outcome.NEEDS_DATA, values
            assert asked(verdict) == [name for at, name in enumerate(unknown) if decides(at, outcomes)], values


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("client", [pytest.param(c, id=i) for i, c in (("y", TARGET), ("n", NOT_TARGET), ("u", {}))])
@pytest.mark.parametrize("text", ["котёл", "чайник"])
def test_unread_rows_against_brute_force(policy: Policy, client: dict[str, FactValue], text: str) -> None:
    ruleset = replace(policy_of(policy), nomenclature=TERMS)
    rows: tuple[FactValue, ...] = ((), (CATALOG_ROW,), (FREE_ROW,))
    facts = known(client, company_title="Plant", text=text)
    possible = {gate(facts.with_(fact("rows", value)), ruleset).outcome for value in rows}
    verdict = gate(facts.with_(fact("rows", None)), ruleset)
    assert verdict.outcome is (possible.pop() if len(possible) == 1 else Outcome.NEEDS_DATA)
