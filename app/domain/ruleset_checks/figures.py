"""Checks of what stands by itself: nomenclature, grades, minimum, currencies, segments, targets, KPI, days, texts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from decimal import Decimal
from itertools import product

from app.domain.facts import Truth
from app.domain.kpi import FIGURES_SAID, SHARES
from app.domain.messages import Message, message
from app.domain.ruleset import Currencies, GradeCell, Indicator, Kpi, Minimum, Nomenclature, Ruleset, Targets
from app.domain.ruleset_checks.remark import Remark, between, repeated, text_given, too_many, usable, warning
from app.domain.verdict import Grade
from app.domain.wording import truth_said

_CURRENCY = re.compile(r"[A-Z]{3}")
_BASE = "RUB"
_LONGEST_TERM = 200
_LONGEST_LIST = 5000
_LAST_VERSION = 2**31 - 2
_DAYS = 3650
_POINTS = 1000
_ALL = 100
_WORKING_YEAR = 250 * 24 * 60
_WORST_FIRST = (Grade.NONE, Grade.CCC, Grade.BBB, Grade.AAA)


def check_figures(ruleset: Ruleset) -> Iterator[Remark]:
    """Remarks on single values and small groups of them."""
    yield from between("version", ruleset.version, 0, _LAST_VERSION)
    yield from _nomenclature(ruleset.nomenclature)
    yield from _grades(ruleset.grades)
    yield from between("urgency_days", ruleset.urgency_days, 0, _DAYS)
    yield from _minimum(ruleset.minimum)
    yield from _currencies(ruleset.currencies)
    yield from _segments(ruleset)
    yield from _targets(ruleset.targets)
    for point in fields(ruleset.activity):
        yield from between(f"activity.{point.name}", getattr(ruleset.activity, point.name), 0, _POINTS)
    yield from _kpi(ruleset.kpi)
    yield from between("question_days", ruleset.question_days, 0, _DAYS)
    yield from between("review_days", ruleset.review_days, 0, _DAYS)
    for one in fields(ruleset.texts):
        yield from text_given(f"texts.{one.name}", getattr(ruleset.texts, one.name))


def _nomenclature(nomenclature: Nomenclature) -> Iterator[Remark]:
    if not (nomenclature.sections or nomenclature.products or nomenclature.terms):
        said = message(
            "The nomenclature is empty: any catalog row counts as ours and no text does. "
            "Name catalog sections, products or terms."
        )
        yield warning("nomenclature", said)
    for name, ids in (("sections", nomenclature.sections), ("products", nomenclature.products)):
        path = f"nomenclature.{name}"
        yield from too_many(path, ids, _LONGEST_LIST)
        for at, number in enumerate(ids):
            if number <= 0:
                yield Remark(f"{path}.{at}", message("is no id of the catalog: ids are above 0"))
        yield from repeated(path, ids)
    yield from too_many("nomenclature.terms", nomenclature.terms, _LONGEST_LIST)
    for at, term in enumerate(nomenclature.terms):
        if not any(sign.isalnum() for sign in term):
            yield Remark(f"nomenclature.terms.{at}", message("has no word in it"))
        elif len(term) > _LONGEST_TERM:
            yield from text_given(f"nomenclature.terms.{at}", term, _LONGEST_TERM)
    yield from repeated("nomenclature.terms", nomenclature.terms)


def _grades(cells: Sequence[GradeCell]) -> Iterator[Remark]:
    seen: dict[tuple[bool, bool, bool], Grade] = {}
    for at, cell in enumerate(cells):
        place = (cell.need, cell.budget, cell.urgency)
        if place in seen:
            yield Remark(f"grades.{at}", message("This cell is there already: {cell}", cell=_cell_said(place)))
        seen[place] = cell.grade
    missing = [place for place in product((False, True), repeat=3) if place not in seen]
    for place in missing:
        said = message("The cell is missing: {cell}. All eight are needed.", cell=_cell_said(place))
        yield Remark("grades", said)
    if not missing and len(set(seen.values())) == 1:
        yield warning("grades", message("All eight cells have the same grade, so grades tell nothing."))
    yield from _worse_with_a_plus(cells, seen)


def _worse_with_a_plus(cells: Sequence[GradeCell], grades: dict[tuple[bool, bool, bool], Grade]) -> Iterator[Remark]:
    for at, cell in enumerate(cells):
        place = (cell.need, cell.budget, cell.urgency)
        need, budget, urgency = place
        fewer = [(False, budget, urgency), (need, False, urgency), (need, budget, False)]
        worth = _WORST_FIRST.index(cell.grade)
        if any(_WORST_FIRST.index(grades[less]) > worth for less in fewer if less in grades):
            said = message("One more plus makes a worse grade here: {cell}", cell=_cell_said(place))
            yield warning(f"grades.{at}.grade", said)


def _cell_said(place: tuple[bool, ...]) -> Message:
    need, budget, urgency = (truth_said(Truth.of(plus)) for plus in place)
    return message("need: {need}, budget: {budget}, urgent: {urgency}", need=need, budget=budget, urgency=urgency)


def _minimum(minimum: Minimum) -> Iterator[Remark]:
    for name, least in (("profit", minimum.profit), ("amount", minimum.amount)):
        if least is not None:
            yield from _limit(f"minimum.{name}", least)
    yield from between("minimum.regular_won_deals", minimum.regular_won_deals, 1, 1000)
    yield from between("minimum.regular_months", minimum.regular_months, 1, 120)


def _limit(path: str, least: Decimal) -> Iterator[Remark]:
    if not usable(least):
        yield Remark(path, message("is not a number that can be used"))
    elif least <= 0:
        said = message(
            "{number} is no minimum: give an amount above 0, or null to switch the minimum off", number=least
        )
        yield Remark(path, said)


def _currencies(currencies: Currencies) -> Iterator[Remark]:
    for at, code in enumerate(currencies.accepted):
        if not _CURRENCY.fullmatch(code):
            yield Remark(f"currencies.accepted.{at}", _no_currency(code))
    yield from repeated("currencies.accepted", currencies.accepted)
    for code, rate in currencies.rates.items():
        path = f"currencies.rates.{code}"
        if not _CURRENCY.fullmatch(code):
            yield Remark(path, _no_currency(code))
        elif code == _BASE:
            yield Remark(path, message("The rouble has no rate of its own: take it off the list."))
        elif not usable(rate) or rate <= 0:
            yield Remark(path, message("must be above 0: RUB for one unit of the currency"))
        elif currencies.accepted and code not in currencies.accepted:
            yield warning(path, message("has no effect, since this currency is not accepted"))


def _no_currency(code: str) -> Message:
    return message("“{code}” is no currency code: three capital letters, like EUR", code=code[:40])


_SEGMENT_SPANS = (
    ("sleeping_days", 1, _DAYS),
    ("regular_won_deals", 1, 1000),
    ("regular_months", 1, 120),
    ("sleeping_cadence", 1, _DAYS),
    ("nurture_cadence", 1, _DAYS),
    ("todos_a_day", 1, 1000),
)


def _segments(ruleset: Ruleset) -> Iterator[Remark]:
    segments = ruleset.segments
    for name, least, most in _SEGMENT_SPANS:
        value = getattr(segments, name)
        if value is not None:
            yield from between(f"segments.{name}", value, least, most)
    taken = {ruleset.nurture.segment}
    for name in ("new", "regular", "sleeping"):
        mark = getattr(segments, name)
        yield from text_given(f"segments.{name}", mark)
        if mark in taken:
            said = message("is the mark of another segment already: each needs its own")
            yield Remark(f"segments.{name}", said)
        taken.add(mark)
    if segments.todos and not segments.written:
        yield warning("segments.todos", message("has no effect while segments are not written"))


def _targets(targets: Targets) -> Iterator[Remark]:
    for name in ("hot", "warm", "other"):
        yield from between(f"targets.{name}", getattr(targets, name), 1, _WORKING_YEAR)
    if not targets.hot <= targets.warm <= targets.other:
        yield warning("targets", message("Hotter cards are given more time than cooler ones."))
    yield from between("targets.warn_percent", targets.warn_percent, 1, 99)
    for name in ("outcomes", "grades"):
        hot = getattr(targets.hot_cards, name)
        for at, value in enumerate(getattr(targets.warm_cards, name)):
            if value in hot:
                said = message("has no effect: such cards are hot already, and hot is looked at first")
                yield warning(f"targets.warm_cards.{name}.{at}", said)


def _kpi(kpi: Kpi) -> Iterator[Remark]:
    for name in ("fixed", "variable", "missed_response", "forgotten_client", "below_minimum"):
        value = getattr(kpi, name)
        if not usable(value) or value < 0:
            yield Remark(f"kpi.{name}", message("must be an amount in RUB, 0 or more"))
    yield from between("kpi.floor_percent", kpi.floor_percent, 0, 99)
    yield from between("kpi.cap_percent", kpi.cap_percent, 100, 1000)
    seen: set[str] = set()
    for at, one in enumerate(kpi.indicators):
        yield from _indicator(f"kpi.indicators.{at}", one)
        if one.figure in seen:
            said = message("“{figure}” is among the indicators already", figure=FIGURES_SAID[one.figure])
            yield Remark(f"kpi.indicators.{at}.figure", said)
        seen.add(one.figure)
    weights = sum(one.weight for one in kpi.indicators)
    if kpi.indicators and weights != _ALL:
        yield Remark("kpi.indicators", message("The weights make {weights} %: they must make 100 %.", weights=weights))


def _indicator(path: str, one: Indicator) -> Iterator[Remark]:
    yield from between(f"{path}.weight", one.weight, 1, _ALL)
    if not usable(one.goal) or one.goal <= 0:
        yield Remark(f"{path}.goal", message("must be above 0"))
    elif one.figure in SHARES and one.goal > _ALL:
        yield Remark(f"{path}.goal", message("must be at most 100 %"))
