"""The minimum and its two exceptions; only a certain No declines."""

from datetime import date
from decimal import Decimal

import pytest

from app.domain.facts import FactValue, Truth
from app.domain.messages import in_english
from app.domain.minimum import MinimumResult, judge_minimum, months_before
from app.domain.ruleset import Minimum
from app.domain.verdict import Exemption
from tests.domain.judging_world import TODAY, known

STANDARD = Minimum()
Y, N, U = Truth.YES, Truth.NO, Truth.UNKNOWN
LITTLE = Decimal("4999.99")
FIRST_DAY = date(2025, 8, 30)
NO_TRIAL: dict[str, FactValue] = {"trial": False, "prospects": False}
TRIAL: dict[str, FactValue] = {"trial": True, "prospects": True}


def judged(
    values: dict[str, FactValue | None], *, minimum: Minimum = STANDARD, client: Truth = Y, today: date = TODAY
) -> MinimumResult:
    return judge_minimum(known({**NO_TRIAL, **values}), minimum, client=client, today=today)


@pytest.mark.parametrize(
    ("profit", "above", "declined"),
    [
        pytest.param("5000", Y, False, id="exactly"),
        pytest.param("5000.01", Y, False, id="more"),
        pytest.param("4999.99", N, True, id="less"),
        pytest.param("0", N, True, id="typed-zero"),
        pytest.param("-1", N, True, id="loss"),
        pytest.param(None, U, False, id="unknown-does-not-decline"),
    ],
)
def test_profit(profit: str | None, above: Truth, declined: bool) -> None:
    result = judged({"margin": Decimal(profit) if profit else None, "amount": Decimal(10**9)})
    assert (result.above, result.declined, result.exemption) == (above, declined, None)


AMOUNT = Minimum(amount=Decimal(1000))


@pytest.mark.parametrize(
    ("minimum", "margin", "amount", "above"),
    [
        pytest.param(AMOUNT, 5000, 1000, Y, id="both"),
        pytest.param(AMOUNT, 5000, 999, N, id="amount-below"),
        pytest.param(AMOUNT, None, 999, N, id="amount-below-profit-open"),
        pytest.param(AMOUNT, 4999, None, N, id="profit-below-amount-open"),
        pytest.param(AMOUNT, 5000, None, U, id="amount-open"),
        pytest.param(Minimum(), 5000, 1, Y, id="amount-off"),
        pytest.param(Minimum(profit=None), 1, None, Y, id="no-minimum"),
        pytest.param(Minimum(profit=None, amount=Decimal(1000)), None, 999, N, id="only-amount"),
    ],
)
def test_both_limits(minimum: Minimum, margin: int | None, amount: int | None, above: Truth) -> None:
    numbers = {"margin": margin, "amount": amount}
    values: dict[str, FactValue | None] = {n: None if v is None else Decimal(v) for n, v in numbers.items()}
    result = judged(values, minimum=minimum)
    assert (result.above, result.declined) == (above, above is N)


@pytest.mark.parametrize(
    ("won", "exemption"),
    [
        pytest.param((TODAY,) * 3, Exemption.REGULAR, id="three"),
        pytest.param((TODAY,) * 2, None, id="two"),
        pytest.param((FIRST_DAY, TODAY, TODAY), Exemption.REGULAR, id="boundary-day-counts"),
        pytest.param((date(2025, 8, 29), TODAY, TODAY), None, id="day-before-does-not"),
        pytest.param((date(2026, 8, 31), TODAY, TODAY), None, id="future-does-not"),
        pytest.param((), None, id="none"),
    ],
)
def test_regular_buyer(won: tuple[date, ...], exemption: Exemption | None) -> None:
    result = judged({"margin": LITTLE, "won_deals": won})
    assert (result.exemption, result.declined) == (exemption, exemption is None)


def test_won_deals_not_read_do_not_decline() -> None:
    result = judged({"margin": LITTLE, "won_deals": None})
    assert (result.above, result.declined, result.exemption) == (N, False, None)
    assert result.why is not None
    assert "an exception is possible" in in_english(result.why)


@pytest.mark.parametrize(
    ("changes", "client", "exemption", "declined"),
    [
        pytest.param(TRIAL, Y, Exemption.TRIAL, False, id="trial"),
        pytest.param({**TRIAL, "trial": False}, Y, None, True, id="unchecked-trial"),
        pytest.param({**TRIAL, "prospects": False}, Y, None, True, id="no-prospects"),
        pytest.param(TRIAL, N, None, True, id="no-target-client"),
        pytest.param(TRIAL, U, None, False, id="client-open-does-not-decline"),
        pytest.param({**TRIAL, "prospects": None}, Y, None, False, id="prospects-open-do-not-decline"),
        pytest.param({"trial": None}, U, None, True, id="one-no-settles-it"),
    ],
)
def test_trial_delivery(
    changes: dict[str, FactValue | None], client: Truth, exemption: Exemption | None, declined: bool
) -> None:
    result = judged({"margin": LITTLE, **changes}, client=client)
    assert (result.exemption, result.declined) == (exemption, declined)


def test_an_exception_that_holds_beats_one_that_is_open() -> None:
    result = judged({"margin": LITTLE, "won_deals": None, **TRIAL})
    assert (result.exemption, result.declined) == (Exemption.TRIAL, False)


@pytest.mark.parametrize(
    "minimum",
    [
        pytest.param(Minimum(regular_exempt=False, trial_exempt=False), id="both-off"),
        pytest.param(Minimum(regular_exempt=False), id="regular-off"),
    ],
)
def test_an_exception_can_be_switched_off(minimum: Minimum) -> None:
    assert judged({"margin": LITTLE, "won_deals": None}, minimum=minimum).declined


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"margin": LITTLE}, "declined, below the minimum: Profit of the deal 4,999.99 RUB", id="declined"),
        pytest.param({"margin": LITTLE, **TRIAL}, "let through: a trial delivery", id="trial"),
        pytest.param({"margin": LITTLE, "won_deals": (TODAY,) * 4}, "let through: won deals of the", id="regular"),
        pytest.param({}, "the minimum is not checked: Profit of the deal is not known", id="unknown"),
    ],
)
def test_every_decision_is_written_down(values: dict[str, FactValue | None], said: str) -> None:
    result = judged(values)
    assert result.why is not None
    assert said in in_english(result.why)


def test_nothing_is_said_of_a_deal_that_earns_enough() -> None:
    assert judged({"margin": Decimal(5000)}).why is None


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        pytest.param(date(2026, 8, 30), 12, date(2025, 8, 30), id="year"),
        pytest.param(date(2024, 2, 29), 12, date(2023, 2, 28), id="leap-day"),
        pytest.param(date(2025, 2, 28), 12, date(2024, 2, 28), id="to-a-leap-year"),
        pytest.param(date(2026, 3, 31), 1, date(2026, 2, 28), id="short-month"),
        pytest.param(date(2026, 5, 31), 6, date(2025, 11, 30), id="across-new-year"),
        pytest.param(date(2026, 1, 15), 1, date(2025, 12, 15), id="january"),
        pytest.param(date(2026, 12, 31), 12, date(2025, 12, 31), id="december"),
        pytest.param(date(2026, 8, 30), 0, date(2026, 8, 30), id="none"),
        pytest.param(date(2026, 8, 30), 10**9, date.min, id="before-the-calendar"),
        pytest.param(date(2026, 8, 30), -3, date(2026, 8, 30), id="negative"),
    ],
)
def test_months_before(day: date, months: int, before: date) -> None:
    assert months_before(day, months) == before
