"""What a KPI sheet pays: examples in a table, and what holds whatever the rules and the facts are."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.kpi import FIGURES_SAID, months_of, paid, pay_of
from app.domain.ruleset import DEFAULT, Indicator, Kpi, KpiFigure
from tests.domain.judging_world import law

FIGURES: tuple[KpiFigure, ...] = get_args(KpiFigure)
PLAIN = Kpi(
    fixed=Decimal(1000),
    variable=Decimal(10_000),
    indicators=(Indicator("won", 75, Decimal(10)), Indicator("within_target", 25, Decimal(80))),
    missed_response=Decimal(100),
    forgotten_client=Decimal(10),
    below_minimum=Decimal(2000),
)
MONTH = Decimal(1)


@pytest.mark.parametrize(
    ("facts", "breaches", "told"),
    [
        pytest.param({"won": 10, "within_target": 80}, {}, (10_000, 0, 11_000), id="every goal"),
        pytest.param({"won": 5, "within_target": 40}, {}, (0, 0, 1000), id="at the floor"),
        pytest.param({"won": Decimal("7.5"), "within_target": 80}, {}, (6250, 0, 7250), id="half way to one goal"),
        pytest.param({"won": 11, "within_target": 80}, {}, (11_500, 0, 12_500), id="a tenth over pays a fifth more"),
        pytest.param({"won": 99, "within_target": 80}, {}, (11_500, 0, 12_500), id="no more than the cap"),
        pytest.param({"won": -5, "within_target": 80}, {}, (2500, 0, 3500), id="below nothing"),
        pytest.param({"won": 10, "within_target": None}, {}, (10_000, 0, 11_000), id="the weight goes to the other"),
        pytest.param({"won": None}, {"missed_response": 1}, (None, 0, None), id="nothing is known"),
        pytest.param(
            {"won": 10, "within_target": 80},
            {"missed_response": 3, "forgotten_client": 4, "below_minimum": 1},
            (10_000, 2340, 8660),
            id="penalties",
        ),
        pytest.param({"won": 5, "within_target": 80}, {"below_minimum": 9}, (2500, 2500, 1000), id="the fixed stays"),
    ],
)
def test_a_sheet(facts: Mapping[KpiFigure, Decimal | None], breaches: Mapping[str, int], told: tuple[int, ...]) -> None:
    known = {name: None if value is None else Decimal(value) for name, value in facts.items()}
    sheet = pay_of(PLAIN, MONTH, known, dict(breaches))  # pyright: ignore[reportArgumentType]
    assert (sheet.variable, sheet.penalty, sheet.total) == told


def test_goals_and_parts_are_those_of_the_period_and_shares_stay() -> None:
    sheet = pay_of(PLAIN, Decimal(3), {"won": Decimal(30), "within_target": Decimal(80)}, {})
    assert (sheet.fixed, sheet.variable) == (3000, 30_000)
    assert {name: part.goal for name, part in sheet.parts.items()} == {"won": 30, "within_target": 80}


def test_switched_off_it_comes_to_nothing() -> None:
    off = replace(PLAIN, fixed=Decimal(0), indicators=())
    sheet = pay_of(off, MONTH, {"won": Decimal(100)}, {"missed_response": 5})
    assert (sheet.fixed, sheet.variable, sheet.penalty, sheet.total) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("since", "until", "months"),
    [
        pytest.param(date(2026, 2, 1), date(2026, 2, 28), Decimal(1), id="a short month"),
        pytest.param(date(2026, 1, 1), date(2026, 12, 31), Decimal(12), id="a year"),
        pytest.param(date(2026, 6, 1), date(2026, 6, 15), Decimal("0.5"), id="half a month"),
        pytest.param(date(2026, 6, 16), date(2026, 8, 31), Decimal("2.5"), id="over the month's end"),
        pytest.param(date(9999, 12, 1), date(9999, 12, 31), Decimal(1), id="the last month of all"),
    ],
)
def test_a_period_in_months(since: date, until: date, months: Decimal) -> None:
    assert months_of(since, until) == months


def test_the_default_weights_make_a_whole_and_every_figure_has_a_name() -> None:
    assert sum(one.weight for one in DEFAULT.kpi.indicators) == 100
    assert set(FIGURES_SAID) == set(FIGURES)


money = st.decimals(min_value=0, max_value=10**9, places=2)


@st.composite
def sheets_rules(draw: st.DrawFn) -> Kpi:
    figures = draw(st.lists(st.sampled_from(FIGURES), min_size=1, unique=True))
    cuts = sorted(draw(st.lists(st.integers(1, 99), min_size=len(figures) - 1, max_size=len(figures) - 1, unique=True)))
    weights = [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)]
    goals = st.decimals(min_value=1, max_value=100, places=1)
    return Kpi(
        fixed=draw(money),
        variable=draw(money),
        indicators=tuple(
            Indicator(figure, weight, draw(goals)) for figure, weight in zip(figures, weights, strict=True)
        ),
        floor_percent=draw(st.integers(0, 99)),
        cap_percent=draw(st.integers(100, 300)),
        missed_response=draw(money),
        forgotten_client=draw(money),
        below_minimum=draw(money),
    )


known_facts = st.fixed_dictionaries({figure: st.decimals(-100, 1000, places=1) for figure in FIGURES})
counts = st.fixed_dictionaries(
    {name: st.integers(0, 50) for name in ("missed_response", "forgotten_client", "below_minimum")}
)


@law
@given(sheets_rules(), known_facts, st.sampled_from(FIGURES), st.decimals(0, 500, places=1), counts)
def test_more_done_is_never_less_pay(kpi: Kpi, facts, figure: KpiFigure, more: Decimal, breaches) -> None:
    before = pay_of(kpi, MONTH, facts, breaches)
    after = pay_of(kpi, MONTH, {**facts, figure: facts[figure] + more}, breaches)
    assert before.total is not None
    assert after.total is not None
    assert after.total >= before.total


@law
@given(sheets_rules(), known_facts, counts, st.sampled_from(("missed_response", "forgotten_client", "below_minimum")))
def test_one_more_breach_is_never_more_pay_and_never_touches_the_fixed_part(kpi: Kpi, facts, breaches, one) -> None:
    before = pay_of(kpi, MONTH, facts, breaches)
    after = pay_of(kpi, MONTH, facts, {**breaches, one: breaches[one] + 1})
    assert before.total is not None
    assert after.total is not None
    assert before.total >= after.total >= after.fixed


@law
@given(sheets_rules(), known_facts)
def test_floor_and_cap_hold(kpi: Kpi, facts) -> None:
    sheet = pay_of(kpi, MONTH, facts, {})
    rounding = Decimal("0.005") * len(kpi.indicators)
    assert sheet.variable is not None
    assert 0 <= sheet.variable <= kpi.variable * kpi.cap_percent / 100 + rounding
    for one in kpi.indicators:
        part = sheet.parts[one.figure]
        assert part.pay is not None
        assert part.pay <= kpi.variable * one.weight / 100 * kpi.cap_percent / 100 + Decimal("0.005")
        if facts[one.figure] * 100 <= one.goal * kpi.floor_percent:
            assert part.pay == 0


@law
@given(sheets_rules(), st.sets(st.sampled_from(FIGURES)))
def test_goals_reached_pay_the_whole_variable_part_whatever_is_not_known(kpi: Kpi, unknown) -> None:
    facts: dict[KpiFigure, Decimal | None] = {
        one.figure: None if one.figure in unknown else one.goal for one in kpi.indicators
    }
    sheet = pay_of(kpi, MONTH, facts, {})
    if all(fact is None for fact in facts.values()):
        assert sheet.variable is None
    else:
        assert sheet.variable is not None
        assert abs(sheet.variable - kpi.variable) <= Decimal("0.005") * len(kpi.indicators)


@law
@given(sheets_rules())
def test_half_way_from_the_floor_pays_half(kpi: Kpi) -> None:
    floor = Decimal(kpi.floor_percent) / 100
    assert paid(kpi, (1 + floor) / 2) == Decimal("0.5")
