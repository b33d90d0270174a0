"""Stage two: the eight cells, urgency, what the grade could become, and the self-check list."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import product

import pytest

from app.domain.facts import Facts, FactValue, Kind, Truth, value_from_json
from app.domain.messages import in_english, message
from app.domain.qualify import qualify
from app.domain.ruleset import DEFAULT, GradeCell, Minimum, Nomenclature, Ruleset
from app.domain.snapshot import Entity
from app.domain.verdict import DealVerdict, Finding, Grade
from tests.domain.judging_world import CATALOG_ROW, FREE_ROW, NOT_TARGET, TARGET, TODAY, fact, known

Y, N, U = Truth.YES, Truth.NO, Truth.UNKNOWN
SOON, LATE = TODAY + timedelta(days=10), TODAY + timedelta(days=90)
BEST: dict[str, FactValue] = {"need": "yes", "budget": "yes", "needed_by": SOON}


def grade(facts: Facts, ruleset: Ruleset = DEFAULT, today: date = TODAY) -> DealVerdict:
    verdict = qualify(Entity.DEAL, facts, ruleset, today)
    assert isinstance(verdict, DealVerdict)
    return verdict


def finding(verdict: DealVerdict, name: str) -> Finding:
    return next(found for found in verdict.findings if found.criterion == name)


def done(verdict: DealVerdict) -> dict[str, Truth]:
    return {item.name: item.truth for item in verdict.checklist}


@pytest.mark.parametrize(
    ("need", "budget", "urgent", "expected"),
    [
        pytest.param(True, True, True, Grade.AAA, id="three"),
        pytest.param(True, True, False, Grade.BBB, id="not-urgent"),
        pytest.param(True, False, True, Grade.BBB, id="no-budget"),
        pytest.param(False, True, True, Grade.BBB, id="no-need"),
        pytest.param(True, False, False, Grade.CCC, id="need-only"),
        pytest.param(False, True, False, Grade.CCC, id="budget-only"),
        pytest.param(False, False, True, Grade.CCC, id="urgency-only"),
        pytest.param(False, False, False, Grade.NONE, id="none"),
    ],
)
def test_the_eight_cells(need: bool, budget: bool, urgent: bool, expected: Grade) -> None:
    words = {True: "yes", False: "no"}
    facts = known({"need": words[need], "budget": words[budget], "needed_by": SOON if urgent else LATE})
    assert grade(facts).grade is expected
    assert grade(facts).possible == ()


def test_every_cell_is_the_admins() -> None:
    cells = tuple(GradeCell(n, b, u, Grade.CCC if (n, b, u) == (True, True, True) else Grade.AAA) for n, b, u in CELLS)
    assert grade(known(BEST), replace(DEFAULT, grades=cells)).grade is Grade.CCC
    assert grade(known({}), replace(DEFAULT, grades=cells)).grade is Grade.AAA
    assert grade(known(BEST), replace(DEFAULT, grades=())).grade is Grade.NONE


CELLS = tuple(product((True, False), repeat=3))


@pytest.mark.parametrize(
    ("changes", "expected", "possible"),
    [
        pytest.param({}, Grade.AAA, (), id="nothing-open"),
        pytest.param({"budget": None}, Grade.BBB, (Grade.AAA,), id="budget-open"),
        pytest.param({"budget": None, "needed_by": None}, Grade.CCC, (Grade.AAA, Grade.BBB), id="two-open"),
        pytest.param(
            {"need": None, "budget": None, "needed_by": None},
            Grade.NONE,
            (Grade.AAA, Grade.BBB, Grade.CCC),
            id="all-open",
        ),
        pytest.param({"need": "no", "budget": None}, Grade.CCC, (Grade.BBB,), id="one-no-one-open"),
    ],
)
def test_an_unknown_is_no_plus_and_the_reason_says_what_could_be(
    changes: dict[str, FactValue | None], expected: Grade, possible: tuple[Grade, ...]
) -> None:
    verdict = grade(known(BEST, **changes))
    assert (verdict.grade, verdict.possible) == (expected, possible)
    said = in_english(verdict.why)
    assert ("could become: " + ", ".join(g.value for g in possible) in said) is bool(possible)


def test_with_own_cells_the_grade_could_also_become_worse() -> None:
    cells = (GradeCell(True, True, True, Grade.NONE), GradeCell(True, True, False, Grade.AAA))
    verdict = grade(known(BEST, needed_by=None), replace(DEFAULT, grades=cells))
    assert (verdict.grade, verdict.possible) == (Grade.AAA, (Grade.NONE,))
    assert "could become: no grade" in in_english(verdict.why)


@pytest.mark.parametrize(
    ("day", "urgency"),
    [
        pytest.param(TODAY, Y, id="today"),
        pytest.param(TODAY + timedelta(days=30), Y, id="day-30"),
        pytest.param(TODAY + timedelta(days=31), N, id="day-31"),
        pytest.param(TODAY - timedelta(days=1), U, id="yesterday-is-stale"),
        pytest.param(date.min, U, id="long-ago"),
        pytest.param(date.max, N, id="far-away"),
        pytest.param(None, U, id="no-date"),
    ],
)
def test_urgency(day: date | None, urgency: Truth) -> None:
    found = finding(grade(known({"needed_by": day})), "urgency")
    assert found.truth is urgency
    assert found.flip is not None
    turned = known({}).with_(fact("needed_by", value_from_json(Kind.DATE, found.flip.value)))
    assert finding(grade(turned), "urgency").truth is (N if urgency is Y else Y)


def test_a_passed_date_is_asked_again() -> None:
    verdict = grade(known(BEST, needed_by=date(2026, 8, 29)))
    assert "2026-08-29 has passed" in in_english(verdict.why)
    assert verdict.possible == (Grade.AAA,)
    assert done(verdict)["needed_by"] is U


@pytest.mark.parametrize("days", [-1, 0, 10**9])
def test_any_span_of_days_is_taken(days: int) -> None:
    ruleset = replace(DEFAULT, urgency_days=days)
    assert finding(grade(known({"needed_by": TODAY}), ruleset), "urgency").truth is (N if days < 0 else Y)
    assert finding(grade(known({"needed_by": date.max}), ruleset, date.max), "urgency").truth is (N if days < 0 else Y)


def test_an_answer_that_could_not_be_read_is_told() -> None:
    facts = known(BEST).with_(fact("budget", None, problem=message("the item is strange")))
    assert "Budget is not known: the item is strange" in in_english(grade(facts).why)
    assert "neither yes nor no" in in_english(grade(known(BEST, need="perhaps")).why)


@pytest.mark.parametrize(
    ("values", "nomenclature", "request_"),
    [
        pytest.param({"rows": (CATALOG_ROW,), "lead_request_answer": "no"}, Nomenclature(), Y, id="own-rows-first"),
        pytest.param({"rows": (FREE_ROW,), "lead_request_answer": "yes"}, Nomenclature(), N, id="own-rows-out"),
        pytest.param({"rows": None, "lead_request_answer": "yes"}, Nomenclature(), U, id="own-rows-unread"),
        pytest.param({"lead_request_answer": "yes", "lead_rows": (FREE_ROW,)}, Nomenclature(), Y, id="leads-answer"),
        pytest.param({"lead_rows": (FREE_ROW,)}, Nomenclature(), N, id="leads-rows"),
        pytest.param({"lead_rows": None}, Nomenclature(), U, id="leads-rows-unread"),
        pytest.param({"lead_text": "котёл"}, Nomenclature(terms=("котлы",)), Y, id="leads-text"),
        pytest.param({}, Nomenclature(), U, id="no-lead"),
    ],
)
def test_request_of_a_deal(values: dict[str, FactValue | None], nomenclature: Nomenclature, request_: Truth) -> None:
    verdict = grade(known(values), replace(DEFAULT, nomenclature=nomenclature))
    assert verdict.request is request_
    assert done(verdict)["nomenclature"] is request_


ALL_DONE: dict[str, FactValue] = {
    **TARGET, **BEST, "margin": Decimal(5000), "rows": (CATALOG_ROW,), "roles": ("user", "technical", "economic"),
    "need_scope": "whole",
}  # fmt: skip


def test_the_list_has_seven_items_in_the_order_of_the_method() -> None:
    verdict = grade(known(ALL_DONE))
    assert list(done(verdict)) == ["minimum", "client", "nomenclature", "roles", "need_scope", "budget", "needed_by"]
    assert verdict.checklist_score == "7/7"
    assert grade(known({})).checklist_score == "0/7"


@pytest.mark.parametrize(
    ("item", "changes", "truth"),
    [
        pytest.param("minimum", {"margin": Decimal("4999.99")}, N, id="profit-below"),
        pytest.param("minimum", {"margin": None, "amount": Decimal(10**9)}, U, id="amount-is-not-profit"),
        pytest.param("client", NOT_TARGET, N, id="no-target"),
        pytest.param("client", {"industry": None}, U, id="client-open"),
        pytest.param("roles", {"roles": ("economic", "user")}, N, id="two-roles"),
        pytest.param("roles", {"roles": None}, U, id="no-roles-known"),
        pytest.param("need_scope", {"need_scope": "part"}, N, id="part"),
        pytest.param("need_scope", {"need_scope": None}, U, id="scope-open"),
        pytest.param("budget", {"budget": "no"}, N, id="no-budget"),
        pytest.param("budget", {"budget": None}, U, id="budget-open"),
        pytest.param("needed_by", {"needed_by": None}, U, id="no-date"),
    ],
)
def test_an_item_is_done_only_when_known_and_true(
    item: str, changes: dict[str, FactValue | None], truth: Truth
) -> None:
    verdict = grade(known(ALL_DONE, **changes))
    assert done(verdict)[item] is truth
    assert verdict.checklist_score == "6/7"


def test_a_far_date_is_still_a_known_date() -> None:
    assert done(grade(known(ALL_DONE, needed_by=LATE)))["needed_by"] is Y


def test_the_amount_counts_where_a_minimum_is_set() -> None:
    ruleset = replace(DEFAULT, minimum=Minimum(amount=Decimal(1000)))
    assert done(grade(known(ALL_DONE), ruleset))["minimum"] is U
    assert done(grade(known(ALL_DONE, amount=Decimal(1000)), ruleset))["minimum"] is Y
    assert done(grade(known(ALL_DONE, amount=Decimal(999)), ruleset))["minimum"] is N


def test_a_declined_deal_is_graded_all_the_same() -> None:
    verdict = grade(known({**NOT_TARGET, **BEST}, margin=Decimal(1), trial=False))
    assert verdict.declined
    assert verdict.grade is Grade.AAA
    assert "grade AAA" in in_english(verdict.why)
    assert "declined" in in_english(verdict.why)
