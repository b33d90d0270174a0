"""Criteria: one rule on one fact gives a finding, with its reason and what would turn it around.

Called by the stages. Never raises, whatever the fact's kind: what cannot be compared is unknown. A rule without its
number or list is unknown too, and says so.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeAlias

from app.domain.facts import Fact, Facts, Kind, Truth
from app.domain.messages import Message, MessageValue, message
from app.domain.ruleset import Criterion, Operator
from app.domain.verdict import Finding, Flip
from app.domain.wording import called, code_said, fact_called, not_known, truth_said, value_said, with_sources

_LARGEST_POWER = 30
_CODE_KINDS = frozenset({Kind.CODE, Kind.CODES, Kind.TEXT})
_YES_WORDS = frozenset({"yes", "y", "да"})
_NO_WORDS = frozenset({"no", "n", "нет"})

_Bounds: TypeAlias = tuple[Callable[[Decimal, Decimal], bool], int, int]
_NUMBERS: dict[Operator, _Bounds] = {
    # The test, then in steps from the bound: the nearest sensible value that passes, and one that fails.
    Operator.OVER: (lambda value, bound: value > bound, 1, 0),
    Operator.AT_LEAST: (lambda value, bound: value >= bound, 0, -1),
    Operator.UNDER: (lambda value, bound: value < bound, -1, 0),
    Operator.AT_MOST: (lambda value, bound: value <= bound, 0, 1),
}


def evaluate(criterion: Criterion, facts: Facts) -> Finding:
    """The finding of one criterion; its name is the fact's."""
    fact = facts[criterion.fact]
    if not _complete(criterion):
        why = message("The rule on “{fact}” is incomplete; ask the administrator", fact=fact_called(fact))
        return Finding(criterion.fact, Truth.UNKNOWN, why)
    truth = _truth(criterion, fact)
    return Finding(criterion.fact, truth, _why(criterion, fact, truth), _flip(criterion, fact, truth))


def answer(facts: Facts, name: str) -> Truth:
    """A person's answer: a code or text that says yes or no, or a box."""
    value = facts[name].value
    if isinstance(value, bool):
        return Truth.of(value)
    word = value.strip().casefold() if isinstance(value, str) else ""
    if word in _YES_WORDS:
        return Truth.YES
    return Truth.NO if word in _NO_WORDS else Truth.UNKNOWN


def evaluate_answer(name: str, facts: Facts) -> Finding:
    """The finding of a fact that is itself the answer."""
    truth = answer(facts, name)
    fact = facts[name]
    return Finding(name, truth, _answer_why(fact, truth), answer_flip(name, truth, fact.kind))


def _answer_why(fact: Fact, truth: Truth) -> Message:
    if truth.known:
        return with_sources(message("{fact}: {answer}", fact=fact_called(fact), answer=truth_said(truth)), fact)
    if isinstance(fact.value, str):
        return message("{fact}: “{value}” is neither yes nor no", fact=fact_called(fact), value=fact.value[:40])
    return not_known(fact)


def answer_flip(name: str, truth: Truth, kind: Kind = Kind.CODE) -> Flip:
    """The other answer; for an unknown one, yes."""
    opposite = truth is not Truth.YES
    said = message("{fact}: {answer} would change this", fact=called(name), answer=truth_said(Truth.of(opposite)))
    if kind is Kind.FLAG:
        return Flip(name, kind, opposite, said)
    return Flip(name, Kind.CODE, "yes" if opposite else "no", said)


def _complete(criterion: Criterion) -> bool:
    if criterion.operator in _NUMBERS:
        return criterion.number is not None and _usable(criterion.number)
    return bool(criterion.codes)


def _usable(number: Decimal) -> bool:
    """Finite and of a size that people use: comparing and writing out others could fail or never end."""
    return number.is_finite() and (not number or abs(number.adjusted()) <= _LARGEST_POWER)


def _truth(criterion: Criterion, fact: Fact) -> Truth:
    if (bound := criterion.number) is not None and (operator := _NUMBERS.get(criterion.operator)):
        known = isinstance(fact.value, Decimal) and _usable(fact.value)
        return Truth.of(operator[0](fact.value, bound) if known and isinstance(fact.value, Decimal) else None)
    codes = _codes(fact)
    if codes is None:
        return Truth.UNKNOWN
    listed = not codes.isdisjoint(code.casefold() for code in criterion.codes)
    return Truth.of(listed is (criterion.operator is Operator.ONE_OF))


def _codes(fact: Fact) -> set[str] | None:
    match fact.value:
        case bool(value):
            return {"yes" if value else "no"}
        case str(value):
            return {value.casefold()}
        case tuple(values) if fact.kind is Kind.CODES:
            return {value.casefold() for value in values if isinstance(value, str)}
        case _:
            return None


def _why(criterion: Criterion, fact: Fact, truth: Truth) -> Message:
    if fact.value is None or not truth.known:
        return not_known(fact)
    values: dict[str, MessageValue] = {"fact": fact_called(fact), "value": value_said(fact.name, fact.value)}
    if criterion.operator in _NUMBERS:
        said = _compared(criterion, values, passed=truth is Truth.YES)
    else:
        said = _listed(criterion, values, passed=truth is Truth.YES)
    return with_sources(said, fact)


def _compared(criterion: Criterion, values: dict[str, MessageValue], *, passed: bool) -> Message:
    values = {**values, "bound": criterion.number or Decimal(0)}
    match criterion.operator, passed:
        case Operator.OVER, True:
            return message("{fact} {value}: over {bound}", **values)
        case Operator.OVER, False:
            return message("{fact} {value}: not over {bound}", **values)
        case Operator.AT_LEAST, True:
            return message("{fact} {value}: at least {bound}", **values)
        case Operator.AT_LEAST, False:
            return message("{fact} {value}: less than {bound}", **values)
        case Operator.UNDER, True:
            return message("{fact} {value}: under {bound}", **values)
        case Operator.UNDER, False:
            return message("{fact} {value}: not under {bound}", **values)
        case _, True:
            return message("{fact} {value}: at most {bound}", **values)
        case _:
            return message("{fact} {value}: more than {bound}", **values)


def _listed(criterion: Criterion, values: dict[str, MessageValue], *, passed: bool) -> Message:
    values = {**values, "codes": tuple(code_said(criterion.fact, code) for code in criterion.codes)}
    match criterion.operator, passed:
        case Operator.ONE_OF, True:
            return message("{fact} {value}: on the list", fact=values["fact"], value=values["value"])
        case Operator.ONE_OF, False:
            return message("{fact} {value}: not on the list ({codes})", **values)
        case _, True:
            return message("{fact} {value}: not excluded", fact=values["fact"], value=values["value"])
        case _:
            return message("{fact} {value}: excluded", fact=values["fact"], value=values["value"])


def _flip(criterion: Criterion, fact: Fact, truth: Truth) -> Flip | None:
    """A passed finding flips to failed, a failed or unknown one to passed."""
    if criterion.number is not None and criterion.operator in _NUMBERS:
        return _number_flip(criterion, fact, criterion.number, passes=truth is not Truth.YES)
    return _code_flip(criterion, fact, passes=truth is not Truth.YES)


def _number_flip(criterion: Criterion, fact: Fact, bound: Decimal, *, passes: bool) -> Flip:
    _, passing, failing = _NUMBERS[criterion.operator]
    steps = passing if passes else failing
    step = Decimal(1).scaleb((bound.adjusted() if bound else 0) - 1)
    value = bound + step * steps if steps else bound
    said = _bound_said(criterion, fact, bound, passes=passes)
    return Flip(criterion.fact, Kind.NUMBER, f"{value:f}", said)


def _bound_said(criterion: Criterion, fact: Fact, bound: Decimal, *, passes: bool) -> Message:
    values: dict[str, MessageValue] = {"fact": fact_called(fact), "bound": value_said(criterion.fact, bound)}
    match criterion.operator, passes:
        case (Operator.OVER, True) | (Operator.AT_MOST, False):
            said = message("{fact} over {bound}", **values)
        case (Operator.AT_LEAST, True) | (Operator.UNDER, False):
            said = message("{fact} of at least {bound}", **values)
        case (Operator.UNDER, True) | (Operator.AT_LEAST, False):
            said = message("{fact} under {bound}", **values)
        case _:
            said = message("{fact} of at most {bound}", **values)
    return _would(said, passes=passes)


def _would(said: Message, *, passes: bool) -> Message:
    return message("{what} would pass", what=said) if passes else message("{what} would not pass", what=said)


def _code_flip(criterion: Criterion, fact: Fact, *, passes: bool) -> Flip | None:
    wants_listed = passes is (criterion.operator is Operator.ONE_OF)
    codes = tuple(code_said(criterion.fact, code) for code in criterion.codes)
    if wants_listed:
        said = message("{fact} from the list ({codes})", fact=fact_called(fact), codes=codes)
    else:
        said = message("{fact} other than {codes}", fact=fact_called(fact), codes=codes)
    said = _would(said, passes=passes)
    if fact.kind is Kind.FLAG:
        return _box_flip(criterion, said, wants_listed=wants_listed)
    value = criterion.codes[0] if wants_listed else _unlisted(criterion.codes)
    return Flip(criterion.fact, fact.kind if fact.kind in _CODE_KINDS else Kind.CODE, value, said)


def _box_flip(criterion: Criterion, said: Message, *, wants_listed: bool) -> Flip | None:
    """A box has two answers; None when neither turns the finding."""
    listed = {code.casefold() for code in criterion.codes}
    for ticked in (True, False):
        if (("yes" if ticked else "no") in listed) is wants_listed:
            return Flip(criterion.fact, Kind.FLAG, ticked, said)
    return None


def _unlisted(codes: tuple[str, ...]) -> str:
    """Some code that is not on the list."""
    taken = {code.casefold() for code in codes}
    return next(code for n in range(len(taken) + 1) if (code := f"OTHER_{n}" if n else "OTHER").casefold() not in taken)
