"""The KPI sheet of one person: what the rules pay for what was done. Pure arithmetic; called by the report.

Money is RUB. A figure that is not known pays nothing and takes nothing: its weight goes to the others. Penalties are
taken from the variable part and never from the fixed one.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from app.domain.messages import Message, message
from app.domain.ruleset import Indicator, Kpi, KpiBreach, KpiFigure

FIGURES_SAID: Final[Mapping[KpiFigure, Message]] = {
    "sales": message("Sales, RUB"),
    "profit": message("Profit, RUB"),
    "won": message("Deals won"),
    "within_target": message("Answered within the target, %"),
    "calls": message("Calls talked on"),
    "points": message("Points of activity"),
    "checklist": message("Deals with the whole self-check list, %"),
}
SHARES: Final[frozenset[KpiFigure]] = frozenset({"within_target", "checklist"})
"""Figures in percent: their goal is the same however long the period is."""
_KOPECK: Final = Decimal("0.01")
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Part:
    """One indicator. `done`: the fact against the goal, 1 is reached; `pay` RUB. None: the fact is not known."""

    goal: Decimal
    done: Decimal | None
    pay: Decimal | None


@dataclass(frozen=True, slots=True)
class Pay:
    """One person's sheet. `variable` and `total` None: there are indicators, and nothing is known of any.

    `charged`: what the breaches come to; `penalty`: what of it is taken, at most the variable part.
    """

    fixed: Decimal
    parts: Mapping[KpiFigure, Part]
    variable: Decimal | None
    charged: Decimal
    penalty: Decimal
    total: Decimal | None


def months_of(since: date, until: date) -> Decimal:
    """How many months the days are, both counted; of a month that is not whole its share by days."""
    months, first = _NOTHING, since
    while True:
        length = monthrange(first.year, first.month)[1]
        end = first.replace(day=length)
        months += Decimal((min(until, end) - first).days + 1) / length
        if until <= end:
            return months
        first = end + timedelta(days=1)


def paid(kpi: Kpi, done: Decimal) -> Decimal:
    """Which share of its weight an indicator earns: 0 up to the floor, 1 at the goal, on evenly up to the cap."""
    floor = Decimal(kpi.floor_percent) / 100
    return min(max((done - floor) / (1 - floor), _NOTHING), Decimal(kpi.cap_percent) / 100)


def pay_of(
    kpi: Kpi, months: Decimal, facts: Mapping[KpiFigure, Decimal | None], breaches: Mapping[KpiBreach, int]
) -> Pay:
    """The sheet. `facts` of the whole period, shares in percent; breaches that are not known are left out."""
    known = sum(one.weight for one in kpi.indicators if facts.get(one.figure) is not None)
    parts: dict[KpiFigure, Part] = {
        one.figure: _part(kpi, one, months, facts.get(one.figure), Decimal(one.weight) / known if known else _NOTHING)
        for one in kpi.indicators
    }
    fixed = _rounded(kpi.fixed * months)
    variable = sum((one.pay for one in parts.values() if one.pay is not None), _NOTHING)
    charged = _rounded(sum((getattr(kpi, name) * count for name, count in breaches.items()), _NOTHING))
    penalty = min(charged, variable)
    if kpi.indicators and not known:
        return Pay(fixed, parts, None, charged, penalty, None)
    return Pay(fixed, parts, variable, charged, penalty, fixed + variable - penalty)


def _part(kpi: Kpi, one: Indicator, months: Decimal, fact: Decimal | None, share: Decimal) -> Part:
    goal = one.goal if one.figure in SHARES else one.goal * months
    if fact is None:
        return Part(_rounded(goal), None, None)
    done = fact / goal
    return Part(_rounded(goal), done, _rounded(kpi.variable * months * share * paid(kpi, done)))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_KOPECK, ROUND_HALF_UP)
