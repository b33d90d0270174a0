"""What one deal must earn so that a month pays for itself: the reckoning behind the minimum profit.

Called by the calculator; what an admin then puts into the rules stays the admin's own choice.
"""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from app.domain.messages import Message, message
from app.domain.raw_values import plain_number

HIGHEST_COST: Final = Decimal(10) ** 12
MOST_DEALS: Final = Decimal(10) ** 6
FEWEST_DEALS: Final = Decimal("0.01")
_KOPECK: Final = Decimal("0.01")


class FigureImpossible(ValueError):  # noqa: N818 - says what is the case
    """A figure that nothing can be reckoned from. `figure` is its name, `said` what to give instead."""

    def __init__(self, figure: str, said: Message) -> None:
        super().__init__(said.template)
        self.figure = figure
        self.said = said


def least_profit(monthly_cost: Decimal, deals_a_month: Decimal) -> Decimal:
    """The profit (RUB) at which that many deals cover the month, rounded up to a kopeck.

    Deals may be an average, e.g. 12.5. Raises FigureImpossible.
    """
    if not (monthly_cost.is_finite() and 0 < monthly_cost <= HIGHEST_COST):
        said = message(
            "Give what a month costs in RUB, wages and rent included: more than 0 and at most {most}.",
            most=HIGHEST_COST,
        )
        raise FigureImpossible("monthly_cost", said)
    if not (deals_a_month.is_finite() and FEWEST_DEALS <= deals_a_month <= MOST_DEALS):
        said = message(
            "Give how many deals you close in an ordinary month, an average if you like: from {least} to {most}.",
            least=FEWEST_DEALS,
            most=MOST_DEALS,
        )
        raise FigureImpossible("deals_a_month", said)
    return plain_number((monthly_cost / deals_a_month).quantize(_KOPECK, rounding=ROUND_CEILING))
