"""The calculator: what one deal must earn, with the figures of the story; and what cannot be reckoned."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.break_even import FEWEST_DEALS, HIGHEST_COST, MOST_DEALS, FigureImpossible, least_profit
from app.domain.messages import in_english

costs = st.decimals(min_value=Decimal("0.01"), max_value=HIGHEST_COST, places=2)
deals = st.decimals(min_value=FEWEST_DEALS, max_value=MOST_DEALS, places=2)


@pytest.mark.parametrize(
    ("monthly_cost", "deals_a_month", "profit"),
    [
        pytest.param("500000", "100", "5000", id="the story"),
        pytest.param("500000", "3", "166666.67", id="rounded up, so that three deals do cover the month"),
        pytest.param("500000", "12.5", "40000", id="an average"),
        pytest.param("0.01", "1000000", "0.01", id="never rounded to nothing"),
    ],
)
def test_the_month_pays_for_itself(monthly_cost: str, deals_a_month: str, profit: str) -> None:
    assert least_profit(Decimal(monthly_cost), Decimal(deals_a_month)) == Decimal(profit)
    assert str(least_profit(Decimal(monthly_cost), Decimal(deals_a_month))) == profit


@given(costs, deals)
def test_so_many_deals_cover_the_month_and_a_kopeck_less_does_not(cost: Decimal, many: Decimal) -> None:
    profit = least_profit(cost, many)
    assert profit * many >= cost
    assert (profit - Decimal("0.01")) * many < cost


@pytest.mark.parametrize(
    ("monthly_cost", "deals_a_month", "figure", "told"),
    [
        pytest.param("500000", "0", "deals_a_month", "how many deals you close", id="no deals"),
        pytest.param("500000", "-1", "deals_a_month", "how many deals you close", id="less than none"),
        pytest.param("500000", "0.001", "deals_a_month", "how many deals you close", id="one in eighty years"),
        pytest.param("500000", "NaN", "deals_a_month", "how many deals you close", id="no number of deals"),
        pytest.param("0", "100", "monthly_cost", "what a month costs", id="a month for nothing"),
        pytest.param("-500000", "100", "monthly_cost", "what a month costs", id="a month that pays"),
        pytest.param("Infinity", "100", "monthly_cost", "what a month costs", id="a month without end"),
        pytest.param("1e13", "100", "monthly_cost", "what a month costs", id="more than there is"),
    ],
)
def test_what_cannot_be_reckoned_says_what_to_give(
    monthly_cost: str, deals_a_month: str, figure: str, told: str
) -> None:
    with pytest.raises(FigureImpossible) as caught:
        least_profit(Decimal(monthly_cost), Decimal(deals_a_month))
    assert caught.value.figure == figure
    assert told in in_english(caught.value.said)
