"""One rule on one fact: passed, failed or unknown, why, and what would turn it around."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from app.domain.criteria import answer, evaluate, evaluate_answer
from app.domain.facts import Fact, Facts, Kind, Truth, value_from_json
from app.domain.messages import in_english, message
from app.domain.ruleset import DEFAULT, Criterion, Operator
from app.domain.verdict import Finding
from tests.domain.judging_world import criteria, fact, known, law, sensible_facts, wild_facts

Y, N, U = Truth.YES, Truth.NO, Truth.UNKNOWN
OVER, AT_LEAST, UNDER, AT_MOST = Operator.OVER, Operator.AT_LEAST, Operator.UNDER, Operator.AT_MOST
ONE_OF, NONE_OF = Operator.ONE_OF, Operator.NONE_OF


def steam(operator: Operator, bound: str = "3") -> Criterion:
    return Criterion("steam_tph", operator, number=Decimal(bound))


def flipped(finding: Finding, facts: Facts) -> Facts:
    assert finding.flip is not None
    flip = finding.flip
    return facts.with_(Fact(flip.fact, flip.kind, value_from_json(flip.kind, flip.value)))


@pytest.mark.parametrize(
    ("operator", "value", "truth", "flip"),
    [
        pytest.param(OVER, "3.1", Y, "3", id="over"),
        pytest.param(OVER, "3", N, "3.1", id="over-is-strict"),
        pytest.param(OVER, "2.9", N, "3.1", id="not-over"),
        pytest.param(AT_LEAST, "3", Y, "2.9", id="at-least-is-inclusive"),
        pytest.param(AT_LEAST, "2.99", N, "3", id="less"),
        pytest.param(UNDER, "2.9", Y, "3", id="under"),
        pytest.param(UNDER, "3", N, "2.9", id="under-is-strict"),
        pytest.param(AT_MOST, "3", Y, "3.1", id="at-most-is-inclusive"),
        pytest.param(AT_MOST, "3.01", N, "3", id="more"),
        pytest.param(OVER, None, U, "3.1", id="over-unknown"),
        pytest.param(AT_LEAST, None, U, "3", id="at-least-unknown"),
        pytest.param(UNDER, None, U, "2.9", id="under-unknown"),
        pytest.param(AT_MOST, None, U, "3", id="at-most-unknown"),
    ],
)
def test_numbers(operator: Operator, value: str | None, truth: Truth, flip: str) -> None:
    finding = evaluate(steam(operator), known({"steam_tph": Decimal(value) if value else None}))
    assert finding.criterion == "steam_tph"
    assert finding.truth is truth
    assert finding.flip is not None
    assert finding.flip.value == flip


@pytest.mark.parametrize(
    ("bound", "flip"),
    [("1000000000", "1100000000"), ("0", "0.1"), ("150", "160"), ("0.05", "0.051"), ("2.5", "2.6"), ("-4", "-3.9")],
)
def test_what_is_over_is_over_by_a_tenth_of_the_leading_digit(bound: str, flip: str) -> None:
    finding = evaluate(steam(OVER, bound), known({}))
    assert finding.flip is not None
    assert finding.flip.value == flip


@pytest.mark.parametrize(
    ("operator", "value", "truth"),
    [
        pytest.param(ONE_OF, "MANUFACTURING", Y, id="listed"),
        pytest.param(ONE_OF, "manufacturing", Y, id="letter-case"),
        pytest.param(ONE_OF, "IT", N, id="not-listed"),
        pytest.param(ONE_OF, "OTHER", N, id="other-is-no"),
        pytest.param(ONE_OF, "UC_NEW", N, id="code-outside-the-dictionary-is-no"),
        pytest.param(ONE_OF, None, U, id="no-code-is-unknown"),
        pytest.param(NONE_OF, "IT", Y, id="not-excluded"),
        pytest.param(NONE_OF, "MANUFACTURING", N, id="excluded"),
        pytest.param(NONE_OF, None, U, id="excluded-unknown"),
    ],
)
def test_lists(operator: Operator, value: str | None, truth: Truth) -> None:
    facts = known({"industry": value})
    finding = evaluate(Criterion("industry", operator, codes=("MANUFACTURING", "FINANCE")), facts)
    assert finding.truth is truth


def test_boxes_and_several_codes_can_be_listed() -> None:
    facts = known({"trial": True, "roles": ("user", "technical")})
    assert evaluate(Criterion("trial", ONE_OF, codes=("yes",)), facts).truth is Y
    assert evaluate(Criterion("trial", NONE_OF, codes=("yes",)), facts).truth is N
    assert evaluate(Criterion("roles", ONE_OF, codes=("user",)), facts).truth is Y
    assert evaluate(Criterion("roles", ONE_OF, codes=("economic",)), facts).truth is N
    assert evaluate(Criterion("roles", NONE_OF, codes=("economic",)), facts).truth is Y


@pytest.mark.parametrize(
    "criterion",
    [
        pytest.param(Criterion("steam_tph", OVER), id="no-number"),
        pytest.param(Criterion("steam_tph", OVER, number=Decimal("NaN")), id="nan"),
        pytest.param(Criterion("steam_tph", OVER, number=Decimal("1e999")), id="absurd"),
        pytest.param(Criterion("industry", ONE_OF), id="no-list"),
        pytest.param(Criterion("industry", NONE_OF), id="nothing-excluded"),
    ],
)
def test_an_incomplete_rule_is_unknown_and_says_so(criterion: Criterion) -> None:
    finding = evaluate(criterion, known({"steam_tph": Decimal(5), "industry": "IT"}))
    assert (finding.truth, finding.flip) == (U, None)
    assert "incomplete" in in_english(finding.why)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        pytest.param("5", Kind.TEXT, id="text"),
        pytest.param(True, Kind.FLAG, id="box"),
        pytest.param(date(2026, 1, 1), Kind.DATE, id="date"),
        pytest.param(Decimal("NaN"), Kind.NUMBER, id="nan"),
        pytest.param(Decimal("Infinity"), Kind.NUMBER, id="infinite"),
        pytest.param(Decimal("1e900"), Kind.NUMBER, id="absurd"),
        pytest.param((), Kind.ROWS, id="rows"),
    ],
)
def test_what_cannot_be_compared_is_unknown(value: Any, kind: Kind) -> None:
    assert evaluate(steam(OVER), Facts([Fact("steam_tph", kind, value)])).truth is U


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        pytest.param([fact("steam_tph", Decimal("2.5"))], "Steam consumption 2.5 t/h: not over 3", id="value"),
        pytest.param([], "Steam consumption is not known", id="unknown"),
        pytest.param(
            [fact("steam_tph", None, problem=message("“{v}” is not a number", v="три"))],
            "Steam consumption is not known: “три” is not a number",
            id="not-understood",
        ),
        pytest.param(
            [fact("steam_tph", Decimal(2), source="lead.X", others=(("company.X", Decimal(5)),))],
            "Steam consumption 2 t/h: not over 3 (taken from: lead; company card: 5 t/h)",
            id="sources-differ",
        ),
        pytest.param(
            [fact("steam_tph", Decimal(5), source="lead.X", others=(("company.X", Decimal("5.0")),))],
            "Steam consumption 5 t/h: over 3",
            id="sources-agree",
        ),
    ],
)
def test_the_reason_names_values_and_sources(facts: list[Fact], said: str) -> None:
    assert in_english(evaluate(steam(OVER), Facts(facts)).why) == said


@pytest.mark.parametrize(
    ("value", "truth"),
    [("yes", Y), ("No", N), ("Да", Y), ("нет", N), (True, Y), (False, N), ("perhaps", U), ("41", U), (None, U)],
)
def test_answers(value: Any, truth: Truth) -> None:
    facts = Facts([Fact("need", Kind.CODE, value)])
    assert answer(facts, "need") is truth
    assert evaluate_answer("need", facts).truth is truth


@law
@given(criteria, wild_facts())
def test_judging_a_criterion_never_raises(criterion: Criterion, facts: Facts) -> None:
    finding = evaluate(criterion, facts)
    assert in_english(finding.why)
    assert in_english(evaluate_answer(criterion.fact, facts).why)


@law
@given(criteria, wild_facts() | sensible_facts())
def test_a_flip_flips(criterion: Criterion, facts: Facts) -> None:
    for judge in (lambda f: evaluate(criterion, f), lambda f: evaluate_answer(criterion.fact, f)):
        before = judge(facts)
        if before.flip is not None:
            assert judge(flipped(before, facts)).truth is (N if before.truth is Y else Y)


@law
@given(sensible_facts())
def test_every_rule_of_the_default_has_a_flip(facts: Facts) -> None:
    for criterion in DEFAULT.client:
        finding = evaluate(criterion, facts)
        assert evaluate(criterion, flipped(finding, facts)).truth is (N if finding.truth is Y else Y)
