"""What an admin may set beyond the thresholds: criteria of the request, policies, routes, currencies, words."""

from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from plan_world import DICTIONARY, FACTS, World, deal_card, deal_verdict, lead_verdict, of_type

from app.domain.actions import AddComment, AddTodo, CreateItem, MoveItem, UpdateItem
from app.domain.facts import Truth
from app.domain.messages import in_english
from app.domain.qualify import qualify
from app.domain.reading import lead_facts
from app.domain.ruleset import (
    DEFAULT,
    Criterion,
    Currencies,
    FactDefinition,
    FactSource,
    LeadRoute,
    Nurture,
    Operator,
    Route,
    Ruleset,
    Texts,
)
from app.domain.snapshot import DealSnapshot, Entity, LeadSnapshot, PortalDictionary
from app.domain.touch import Hold
from app.domain.verdict import DealVerdict, Grade, LeadVerdict, Outcome
from tests.domain.judging_world import CATALOG_ROW, NOT_TARGET, TARGET, TODAY, known

BAR = FactDefinition(
    "pressure",
    DEFAULT.facts[0].kind,
    (FactSource("lead", "UF_CRM_PRESSURE"),),
    title="Working pressure",
    question="What pressure do they need, bar?",
)
PRESSED = replace(DEFAULT, facts=(*DEFAULT.facts, BAR), request=(Criterion("pressure", Operator.AT_LEAST, Decimal(8)),))


def gated(ruleset: Ruleset, **values: Any) -> LeadVerdict:
    """The verdict on a lead whose pressure stands in a mapped field."""
    pressure = values.pop("pressure", None)
    card = {"id": 5, "UF_CRM_PRESSURE": pressure}
    read = lead_facts(LeadSnapshot(card), ruleset, PortalDictionary(7, UTC))
    facts = known({}, company_linked=True, **values).with_(read["pressure"])
    verdict = qualify(Entity.LEAD, facts, ruleset, TODAY)
    assert isinstance(verdict, LeadVerdict)
    return verdict


@pytest.mark.parametrize(
    ("pressure", "answer", "request_truth", "outcome", "asked"),
    [
        pytest.param("10", "yes", Truth.YES, Outcome.DEAL, [], id="both hold"),
        pytest.param("7.9", "yes", Truth.NO, Outcome.COMPANY, [], id="ours, but too little"),
        pytest.param("10", "no", Truth.NO, Outcome.COMPANY, [], id="enough, but not ours"),
        pytest.param(None, "no", Truth.NO, Outcome.COMPANY, [], id="no need to ask"),
        pytest.param(None, "yes", Truth.UNKNOWN, Outcome.NEEDS_DATA, ["pressure"], id="one is asked"),
        pytest.param(
            None, None, Truth.UNKNOWN, Outcome.NEEDS_DATA, ["request_answer", "pressure"], id="both are asked"
        ),
        pytest.param("much", "yes", Truth.UNKNOWN, Outcome.NEEDS_DATA, ["pressure"], id="not understood is not No"),
    ],
)
def test_a_request_must_hold_its_criteria_too(pressure, answer, request_truth, outcome, asked) -> None:
    verdict = gated(PRESSED, **TARGET, request_answer=answer, pressure=pressure)
    assert (verdict.request, verdict.outcome) == (request_truth, outcome)
    assert [question.fact for question in verdict.questions] == asked


def test_a_mapped_fact_is_called_and_asked_for_as_the_admin_says() -> None:
    asked = gated(PRESSED, **TARGET, request_answer="yes")
    assert in_english(asked.questions[0].said) == "What pressure do they need, bar?"
    refused = gated(PRESSED, **TARGET, request_answer="yes", pressure=5)
    assert in_english(refused.why) == "Target client, but the request does not fit: Working pressure 5: less than 8"
    assert in_english(refused.findings[-1].flip.said) == "Working pressure of at least 8 would pass"


def test_one_fact_in_both_gates_is_asked_once() -> None:
    both = replace(PRESSED, client=(Criterion("pressure", Operator.OVER, Decimal(1)),))
    assert [one.fact for one in gated(both, request_answer="yes").questions] == ["pressure"]


def test_a_deal_is_judged_by_the_criteria_of_its_request() -> None:
    facts = known({**TARGET, "rows": (CATALOG_ROW,)})
    rules = replace(DEFAULT, request=(Criterion("steam_tph", Operator.OVER, Decimal(9)),))
    verdict = qualify(Entity.DEAL, facts, rules, TODAY)
    assert isinstance(verdict, DealVerdict)
    assert verdict.request is Truth.NO
    items = {item.name: item.truth for item in verdict.checklist}
    assert items["nomenclature"] is Truth.YES


@pytest.mark.parametrize(
    ("policy", "client", "answer", "outcome", "why"),
    [
        ("company", TARGET, "no", Outcome.COMPANY, "Target client, but the request does not fit"),
        ("review", TARGET, "no", Outcome.REVIEW, "a person decides"),
        ("junk", TARGET, "no", Outcome.JUNK, "whoever the client is"),
        ("junk", {}, "no", Outcome.JUNK, "whoever the client is"),
        ("junk", NOT_TARGET, "no", Outcome.JUNK, "Not a target client"),
        ("review", {}, "no", Outcome.NEEDS_DATA, "answers are needed"),
    ],
)
def test_what_becomes_of_a_target_client_whose_request_does_not_fit(policy, client, answer, outcome, why) -> None:
    rules = replace(DEFAULT, unfitting_request_of_client=policy)
    verdict = qualify(Entity.LEAD, known(client, request_answer=answer, company_linked=True), rules, TODAY)
    assert verdict.outcome is outcome
    assert why in in_english(verdict.why)


@pytest.mark.parametrize(
    ("currencies", "turnover"),
    [
        pytest.param(Currencies(), Decimal(160), id="the portal's rate"),
        pytest.param(Currencies((), {"USD": Decimal(100)}), Decimal(200), id="an own rate"),
        pytest.param(Currencies(("USD",)), Decimal(160), id="accepted"),
        pytest.param(Currencies(("EUR",)), None, id="not accepted, so not known"),
    ],
)
def test_amounts_are_read_in_the_currencies_of_the_rules(currencies: Currencies, turnover: Decimal | None) -> None:
    company = {"id": 8, "revenue": 2, "currencyId": "USD"}
    rules = replace(DEFAULT, currencies=currencies)
    fact = lead_facts(LeadSnapshot({"id": 5, "companyId": 8}, company), rules, DICTIONARY)["turnover"]
    assert fact.value == turnover
    assert (fact.problem is None) is (turnover is not None)


def routed(**routes: LeadRoute) -> World:
    """A lead under rules with routes by outcome."""
    return World(
        ruleset=replace(DEFAULT, outcome_routes={Outcome(name): route for name, route in routes.items()}), facts=FACTS
    )


@pytest.mark.parametrize("outcome", [Outcome.REVIEW, Outcome.NEEDS_DATA])
def test_a_lead_that_waits_goes_to_the_stage_of_its_outcome_once(outcome: Outcome) -> None:
    world = routed(**{outcome.value: LeadRoute("IN_PROCESS", {"sourceDescription": "asked"})})
    verdict = lead_verdict(outcome)
    planned = world.plan(verdict)
    assert [move.stage for move in of_type(planned, MoveItem)] == ["IN_PROCESS"]
    assert of_type(planned, UpdateItem)[0].fields["sourceDescription"] == "asked"
    there = world.after(verdict)
    assert there.plan(verdict).actions == ()
    # A person who puts it elsewhere afterwards wins, and no field is argued about.
    back = there.moved_by_person("NEW", verdict).changing(sourceDescription="mine")
    assert (back.plan(verdict).actions, back.plan(verdict).held) == ((), (Hold.PERSON_MOVED,))


def test_a_lead_ends_in_the_stage_of_its_outcome_when_that_is_an_end_of_its_kind() -> None:
    junk = lead_verdict(Outcome.JUNK)
    (move,) = of_type(routed(junk=LeadRoute("UC_DOUBLE")).plan(junk), MoveItem)
    assert move.stage == "UC_DOUBLE"
    for wrong in ("CONVERTED", "NEW", "GONE"):
        planned = routed(junk=LeadRoute(wrong)).plan(junk)
        assert (of_type(planned, MoveItem), planned.held) == ([], (Hold.STAGE_UNKNOWN,))


def test_a_new_deal_and_a_nurtured_company_get_the_fields_of_the_rules() -> None:
    rules = replace(
        DEFAULT,
        deal_route=Route(0, None, {"assignedById": 99, "UF_CRM_NONE": "x"}),
        nurture=Nurture(segment="regular", fields={"comments": "grow", "isMyCompany": False}),
    )
    made = {one.makes: one.fields for one in of_type(World(ruleset=rules).plan(lead_verdict(Outcome.DEAL)), CreateItem)}
    assert made["deal"]["assignedById"] == 99
    assert "UF_CRM_NONE" not in made["deal"]
    kept = of_type(World(ruleset=rules).plan(lead_verdict(Outcome.COMPANY)), CreateItem)[0].fields
    assert (kept["UF_CRM_OGON_SEGMENT"], kept["comments"], kept["isMyCompany"]) == (72, "grow", "N")


def deal_in(rules: Ruleset, **card: Any) -> World:
    return World(DealSnapshot(deal_card(**card)), ruleset=rules)


def test_a_graded_deal_keeps_the_fields_of_its_grade_while_it_is_open() -> None:
    rules = replace(DEFAULT, grade_routes={Grade.BBB: Route(None, None, {"probability": 40})})
    world = deal_in(rules, categoryId=4, stageId="C4:NEW")
    planned = world.plan(deal_verdict())
    assert of_type(planned, UpdateItem)[0].fields["probability"] == 40
    assert not of_type(planned, MoveItem)
    assert world.after(deal_verdict()).plan(deal_verdict()).actions == ()
    closed = deal_in(rules, stageId="WON")
    assert "probability" not in of_type(closed.plan(deal_verdict()), UpdateItem)[0].fields


@pytest.mark.parametrize(
    ("route", "stage"),
    [
        pytest.param(Route(None), "LOSE", id="the pipeline's own end"),
        pytest.param(Route(0, "APOLOGY"), "APOLOGY", id="the end named"),
        pytest.param(Route(4), "C4:LOSE", id="another pipeline's end"),
        pytest.param(Route(0, "NEW"), None, id="never to work in progress"),
        pytest.param(Route(0, "WON"), None, id="never won"),
    ],
)
def test_a_declined_deal_goes_to_a_failed_stage(route: Route, stage: str | None) -> None:
    world = deal_in(replace(DEFAULT, declined_route=route), stageId="EXECUTING")
    planned = world.plan(deal_verdict(declined=True))
    assert [move.stage for move in of_type(planned, MoveItem)] == ([stage] if stage else [])
    assert planned.held == (() if stage else (Hold.STAGE_UNKNOWN,))


def test_what_is_written_into_the_portal_is_worded_as_the_admin_says() -> None:
    texts = Texts(needs_data="Ask first", question_title="Questions", declined="Too small for us")
    world = World(ruleset=replace(DEFAULT, texts=texts))
    planned = world.plan(lead_verdict(Outcome.NEEDS_DATA))
    assert of_type(planned, AddComment)[0].text.startswith("[B]Ask first[/B]")
    assert of_type(planned, AddTodo)[0].title == "Questions"
    review = of_type(world.plan(lead_verdict(Outcome.REVIEW)), AddTodo)[0]
    assert review.title == "Decide on the lead"
    declined = deal_in(world.ruleset).plan(deal_verdict(declined=True))
    assert of_type(declined, AddComment)[0].text.startswith("[B]Too small for us[/B]")
    # Other words are no other decision: what was told once is not told again.
    reworded = replace(world.after(lead_verdict(Outcome.NEEDS_DATA)), ruleset=DEFAULT)
    assert not of_type(reworded.plan(lead_verdict(Outcome.NEEDS_DATA)), AddComment)
