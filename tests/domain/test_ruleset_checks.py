"""A newcomer's mistakes in the rules: each with the path of the value, told as an error or as a warning."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from app.domain.check_ruleset import check_ruleset
from app.domain.facts import Kind
from app.domain.messages import in_english
from app.domain.ruleset import (
    DEFAULT,
    Criterion,
    Currencies,
    FactDefinition,
    FactSource,
    GradeCell,
    Heat,
    Indicator,
    Kpi,
    LeadRoute,
    Minimum,
    Nomenclature,
    Nurture,
    Operator,
    Route,
    Ruleset,
    Segments,
    Targets,
    Texts,
)
from app.domain.snapshot import Entity, PortalDictionary
from app.domain.verdict import Grade, Outcome
from tests.domain.plan_world import DICTIONARY

SOLD = Nomenclature(sections=(5,))
QUIET = replace(DEFAULT, nomenclature=SOLD)
PRESSURE = FactDefinition("pressure", Kind.NUMBER, (FactSource("lead", "UF_CRM_PRESSURE"),))
PORTAL: PortalDictionary = replace(
    DICTIONARY,
    fields=DICTIONARY.fields
    | {
        (Entity[source.card.upper()], source.field)
        for one in DEFAULT.facts
        for source in one.sources
        if source.field.startswith("UF_")
    }
    | {(Entity.LEAD, "UF_CRM_KIND"), (Entity.LEAD, "UF_CRM_PRESSURE")},
    enumerations={**DICTIONARY.enumerations, (Entity.LEAD, "UF_CRM_KIND"): {"1": "plant", "2": "dealer"}},
    industries={"MANUFACTURING": "Manufacturing", "OTHER": "Other"},
)
WON = Indicator("won", 60, Decimal(10))
KIND = FactDefinition("client_kind", Kind.CODE, (FactSource("lead", "UF_CRM_KIND"),))


def over(number: Any, fact: str = "steam_tph") -> Criterion:
    return Criterion(fact, Operator.OVER, Decimal(number))


def under(number: Any, fact: str = "steam_tph") -> Criterion:
    return Criterion(fact, Operator.UNDER, Decimal(number))


def one_of(*codes: str, fact: str = "industry") -> Criterion:
    return Criterion(fact, Operator.ONE_OF, codes=codes)


def none_of(*codes: str, fact: str = "industry") -> Criterion:
    return Criterion(fact, Operator.NONE_OF, codes=codes)


def said(ruleset: Ruleset, portal: PortalDictionary | None = PORTAL) -> dict[tuple[str, bool], str]:
    """What is said by path and whether it is wrong."""
    return {(one.path, one.wrong): in_english(one.said) for one in check_ruleset(ruleset, portal)}


def test_the_default_rules_are_only_asked_what_is_sold() -> None:
    assert list(said(DEFAULT)) == [("nomenclature", False)]
    assert said(QUIET) == {}


def test_without_a_portal_that_is_said() -> None:
    assert [path for path, wrong in said(QUIET, None) if not wrong] == [""]


WRONG: list[Any] = [
    pytest.param({"client": (one_of(),)}, "client.0.codes", "nobody could ever pass", id="an empty list"),
    pytest.param({"client": (none_of(),)}, "client.0.codes", "nobody would be excluded", id="an empty exclusion"),
    pytest.param({"client": (over(5), under(3))}, "client.1", "no value of “Steam consumption”", id="x > 5 and x < 3"),
    pytest.param({"client": (over(5), under(5))}, "client.1", "contradicts", id="x > 5 and x < 5"),
    pytest.param(
        {"client": (over(3), Criterion("steam_tph", Operator.AT_MOST, Decimal(3)))},
        "client.1",
        "contradicts",
        id="3 < x <= 3",
    ),
    pytest.param({"client": (one_of("OTHER"), one_of("MANUFACTURING"))}, "client.1", "contradicts", id="two lists"),
    pytest.param({"client": (one_of("OTHER"), none_of("other"))}, "client.1", "contradicts", id="in and out"),
    pytest.param({"client": (over(3), over("3.0"))}, "client.1", "repeats client.0", id="the same twice"),
    pytest.param({"request": (over(3), over(3))}, "request.1", "repeats request.0", id="the request's too"),
    pytest.param({"client": (over(3, "stem_tph"),)}, "client.0.fact", "There is no fact “stem_tph”", id="no such fact"),
    pytest.param({"client": (over(3, "margin"),)}, "client.0.fact", "from deals only", id="a fact of deals only"),
    pytest.param({"client": (over(3, "industry"),)}, "client.0.operator", "does not suit", id="a code compared"),
    pytest.param(
        {"client": (one_of("3", fact="steam_tph"),)}, "client.0.operator", "does not suit", id="a number listed"
    ),
    pytest.param({"client": (Criterion("steam_tph", Operator.OVER),)}, "client.0.number", "is missing", id="no bound"),
    pytest.param({"client": (over("1E+400"),)}, "client.0.number", "not a number that can be used", id="a huge bound"),
    pytest.param(
        {"client": (Criterion("steam_tph", Operator.OVER, Decimal(3), ("A",)),)},
        "client.0.codes",
        "does not go",
        id="bound and list",
    ),
    pytest.param(
        {"client": (one_of("MANUFACTURNIG"),)}, "client.0.codes.0", "MANUFACTURING, OTHER", id="no such industry"
    ),
    pytest.param({"client": (one_of(" "),)}, "client.0.codes.0", "is empty", id="a blank code"),
    pytest.param({"client": (one_of("Y", fact="company_linked"),)}, "client.0.codes.0", "yes or no", id="a box"),
    pytest.param(
        {"facts": (*DEFAULT.facts, KIND), "client": (one_of("plnat", fact="client_kind"),)},
        "client.0.codes.0",
        "dealer, plant",
        id="no such item",
    ),
    pytest.param({"facts": (*DEFAULT.facts, PRESSURE, PRESSURE)}, "facts.14.name", "facts.13", id="a fact twice"),
    pytest.param(
        {"facts": (*DEFAULT.facts, replace(PRESSURE, name="rows"))}, "facts.13.name", "uses itself", id="our name"
    ),
    pytest.param(
        {"facts": (*DEFAULT.facts, replace(PRESSURE, name="a b"))}, "facts.13.name", "one word", id="two words"
    ),
    pytest.param({"facts": (*DEFAULT.facts, replace(PRESSURE, kind=Kind.ROWS))}, "facts.13.kind", "must be", id="rows"),
    pytest.param(
        {"facts": (*DEFAULT.facts, replace(PRESSURE, sources=()))}, "facts.13.sources", "nowhere", id="no source"
    ),
    pytest.param(
        {"facts": (*DEFAULT.facts, replace(PRESSURE, title=" "))}, "facts.13.title", "is empty", id="no title"
    ),
    pytest.param(
        {"facts": tuple(replace(one, kind=Kind.TEXT) if one.name == "margin" else one for one in DEFAULT.facts)},
        "facts.7.kind",
        "“margin” is judged as number",
        id="a profit in words",
    ),
    pytest.param(
        {"facts": (*DEFAULT.facts, replace(PRESSURE, sources=(FactSource("lead", "UF_CRM_PRESURE"),)))},
        "facts.13.sources.0.field",
        "no field UF_CRM_PRESURE",
        id="no such field",
    ),
    pytest.param(
        {"facts": (*DEFAULT.facts, replace(PRESSURE, sources=(FactSource("lead", "Pressure!"),)))},
        "facts.13.sources.0.field",
        "is no field's name",
        id="no field's name",
    ),
    pytest.param(
        {"facts": (*DEFAULT.facts, replace(KIND, sources=(FactSource("lead", "UF_CRM_KIND", money=True),)))},
        "facts.13.sources.0.money",
        "can be money",
        id="a code as money",
    ),
    pytest.param({"grades": DEFAULT.grades[1:]}, "grades", "The cell is missing", id="seven cells"),
    pytest.param({"grades": (*DEFAULT.grades, DEFAULT.grades[3])}, "grades.8", "there already", id="nine cells"),
    pytest.param({"minimum": Minimum(profit=Decimal(0))}, "minimum.profit", "0 is no minimum", id="a minimum of 0"),
    pytest.param({"minimum": Minimum(amount=Decimal(-1))}, "minimum.amount", "is no minimum", id="below 0"),
    pytest.param({"minimum": Minimum(profit=Decimal("NaN"))}, "minimum.profit", "not a number", id="not a number"),
    pytest.param(
        {"minimum": Minimum(regular_won_deals=0)}, "minimum.regular_won_deals", "from 1", id="everyone regular"
    ),
    pytest.param({"urgency_days": -1}, "urgency_days", "must be from 0 to 3650", id="no day is urgent"),
    pytest.param({"version": -1}, "version", "must be from 0", id="the version"),
    pytest.param(
        {"nomenclature": Nomenclature((0,))}, "nomenclature.sections.0", "no id of the catalog", id="section 0"
    ),
    pytest.param(
        {"nomenclature": Nomenclature(terms=("—",))}, "nomenclature.terms.0", "no word", id="a term without words"
    ),
    pytest.param({"currencies": Currencies(("usd",))}, "currencies.accepted.0", "no currency code", id="small letters"),
    pytest.param({"currencies": Currencies(("EUR",))}, "currencies.accepted.0", "no rate for EUR", id="no rate"),
    pytest.param(
        {"currencies": Currencies((), {"USD": Decimal(0)})}, "currencies.rates.USD", "above 0", id="a rate of 0"
    ),
    pytest.param(
        {"currencies": Currencies((), {"RUB": Decimal(2)})}, "currencies.rates.RUB", "no rate of its own", id="2 RUB"
    ),
    pytest.param(
        {"segments": Segments(sleeping_days=0)}, "segments.sleeping_days", "must be from 1", id="asleep at once"
    ),
    pytest.param({"segments": Segments(new="nurture")}, "segments.new", "another segment", id="one mark for two"),
    pytest.param({"targets": Targets(hot=0)}, "targets.hot", "must be from 1", id="no time at all"),
    pytest.param({"targets": Targets(warn_percent=100)}, "targets.warn_percent", "must be from 1", id="a late warning"),
    pytest.param({"kpi": Kpi(fixed=Decimal(-1))}, "kpi.fixed", "0 or more", id="a fixed part below 0"),
    pytest.param({"kpi": Kpi(below_minimum=Decimal("NaN"))}, "kpi.below_minimum", "0 or more", id="no penalty"),
    pytest.param({"kpi": Kpi(floor_percent=100)}, "kpi.floor_percent", "from 0 to 99", id="a floor at the goal"),
    pytest.param({"kpi": Kpi(cap_percent=99)}, "kpi.cap_percent", "from 100", id="a cap below the goal"),
    pytest.param({"kpi": Kpi(indicators=(WON,))}, "kpi.indicators", "make 60 %", id="weights that make no whole"),
    pytest.param({"kpi": Kpi(indicators=(WON, WON))}, "kpi.indicators.1.figure", "already", id="a figure twice"),
    pytest.param(
        {"kpi": Kpi(indicators=(replace(WON, weight=0),))}, "kpi.indicators.0.weight", "from 1 to 100", id="no weight"
    ),
    pytest.param(
        {"kpi": Kpi(indicators=(replace(WON, goal=Decimal(0)),))}, "kpi.indicators.0.goal", "above 0", id="no goal"
    ),
    pytest.param(
        {"kpi": Kpi(indicators=(Indicator("checklist", 100, Decimal(101)),))},
        "kpi.indicators.0.goal",
        "at most 100 %",
        id="more than all of them",
    ),
    pytest.param({"texts": Texts(deal=" ")}, "texts.deal", "is empty", id="an empty headline"),
    pytest.param({"texts": Texts(review_title="x" * 256)}, "texts.review_title", "too long", id="a long title"),
    pytest.param(
        {"deal_route": Route(9)}, "deal_route.pipeline", "no deal pipeline 9; it has: 0, 4", id="no such pipeline"
    ),
    pytest.param({"deal_route": Route(None)}, "deal_route.pipeline", "name its pipeline", id="a deal made nowhere"),
    pytest.param({"deal_route": Route(0, "GONE")}, "deal_route.stage", "NEW (New), EXECUTING", id="no such stage"),
    pytest.param(
        {"deal_route": Route(0, "C4:NEW")}, "deal_route.stage", "another pipeline than 0", id="another pipeline's"
    ),
    pytest.param({"deal_route": Route(0, "WON")}, "deal_route.stage", "work in progress", id="made and won"),
    pytest.param(
        {"declined_route": Route(0, "NEW")}, "declined_route.stage", "not a failed one", id="declined to work"
    ),
    pytest.param(
        {"declined_route": Route(None, "LOSE")}, "declined_route.pipeline", "Name the pipeline", id="whose stage"
    ),
    pytest.param(
        {"grade_routes": {Grade.AAA: Route(0, "GONE")}}, "grade_routes.AAA.stage", "no stage GONE", id="by grade"
    ),
    pytest.param(
        {"outcome_routes": {Outcome.DEAL: LeadRoute("JUNK")}},
        "outcome_routes.deal.stage",
        "not the successful",
        id="deal to junk",
    ),
    pytest.param(
        {"outcome_routes": {Outcome.JUNK: LeadRoute("NEW")}},
        "outcome_routes.junk.stage",
        "not a failed",
        id="junk to work",
    ),
    pytest.param(
        {"outcome_routes": {Outcome.REVIEW: LeadRoute("REVIEW")}},
        "outcome_routes.review.stage",
        "no stage REVIEW",
        id="lead stage",
    ),
    pytest.param(
        {"deal_route": Route(0, None, {"stageId": "WON"})},
        "deal_route.fields.stageId",
        "written by Ogon",
        id="a field of ours",
    ),
    pytest.param(
        {"deal_route": Route(0, None, {"UF_CRM_X": 1})},
        "deal_route.fields.UF_CRM_X",
        "no field UF_CRM_X",
        id="a field to write",
    ),
    pytest.param(
        {"outcome_routes": {Outcome.JUNK: LeadRoute(None, {"UF_CRM_KIND": "x"})}},
        "outcome_routes.junk.fields.UF_CRM_KIND",
        "dealer, plant",
        id="an item to write",
    ),
    pytest.param({"nurture": Nurture(segment="x")}, "nurture.segment", "no “x” here", id="the nurture mark"),
    pytest.param(
        {"nurture": Nurture("UF_CRM_Y")}, "nurture.segment_field", "no field UF_CRM_Y", id="the nurture field"
    ),
]


@pytest.mark.parametrize(("changes", "path", "words"), WRONG)
def test_a_wrong_value_is_told_with_its_path(changes: dict[str, Any], path: str, words: str) -> None:
    told = said(replace(QUIET, **changes))
    assert words in told.get((path, True), ""), told


ODD: list[Any] = [
    pytest.param({"client": ()}, "client", "every client is a target client", id="no criteria"),
    pytest.param({"nomenclature": Nomenclature()}, "nomenclature", "is empty", id="nothing is sold"),
    pytest.param(
        {"grades": tuple(replace(cell, grade=Grade.AAA) for cell in DEFAULT.grades)},
        "grades",
        "the same grade",
        id="equal cells",
    ),
    pytest.param(
        {"grades": (*DEFAULT.grades[:7], GradeCell(True, True, True, Grade.NONE))},
        "grades.7.grade",
        "worse",
        id="worse with a plus",
    ),
    pytest.param({"client": (one_of("OTHER", "other"),)}, "client.0.codes.1", "on the list already", id="a code twice"),
    pytest.param({"facts": DEFAULT.facts[:-1]}, "facts", "“prospects” is not among the facts", id="a fact is missing"),
    pytest.param({"segments": Segments(written=False)}, "segments.todos", "no effect", id="to-dos of no segment"),
    pytest.param({"targets": Targets(hot=99)}, "targets", "more time", id="hot is slow"),
    pytest.param(
        {"targets": Targets(warm_cards=Heat((Outcome.DEAL,)))},
        "targets.warm_cards.outcomes.0",
        "no effect",
        id="hot and warm",
    ),
    pytest.param(
        {"facts": (*DEFAULT.facts, replace(PRESSURE, sources=(FactSource("company", "revnue"),)))},
        "facts.13.sources.0.field",
        "no standard field",
        id="a standard field misspelt",
    ),
    pytest.param(
        {"grade_routes": {Grade.NONE: Route(0, "LOSE")}},
        "grade_routes.none.stage",
        "ends the card",
        id="a grade that ends",
    ),
    pytest.param(
        {"currencies": Currencies((), {"CNY": Decimal(12)})}, "currencies.rates.CNY", "no currency CNY", id="own rate"
    ),
]


@pytest.mark.parametrize(("changes", "path", "words"), ODD)
def test_what_is_odd_is_told_and_not_refused(changes: dict[str, Any], path: str, words: str) -> None:
    told = said(replace(QUIET, **changes))
    assert words in told.get((path, False), ""), told
    assert [place for place, wrong in told if wrong] == []


def test_fields_of_ours_are_yet_to_be_made() -> None:
    bare = replace(PORTAL, fields=frozenset())
    told = said(QUIET, bare)
    assert told
    assert {wrong for _, wrong in told} == {False}
    assert all("ogon portal provision" in words for words in told.values())


@pytest.mark.parametrize(
    "criteria",
    [
        pytest.param((over(3), under(5)), id="a span"),
        pytest.param(
            (
                Criterion("steam_tph", Operator.AT_LEAST, Decimal(3)),
                Criterion("steam_tph", Operator.AT_MOST, Decimal(3)),
            ),
            id="a point",
        ),
        pytest.param((one_of("OTHER", "MANUFACTURING"), none_of("OTHER")), id="a list less one"),
        pytest.param((one_of("technical", fact="asked"), one_of("user", fact="asked")), id="two of several"),
        pytest.param((one_of("yes", fact="company_linked"),), id="a fact that is gathered"),
    ],
)
def test_what_can_hold_together_is_no_contradiction(criteria: tuple[Criterion, ...]) -> None:
    asked = FactDefinition("asked", Kind.CODES, (FactSource("lead", "UF_CRM_PRESSURE"),))
    assert said(replace(QUIET, facts=(*DEFAULT.facts, asked), client=criteria)) == {}
