"""Checks of the criteria of both gates: whether each can be compared, and whether all of them can hold at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from app.domain.facts import Kind
from app.domain.messages import Message, message
from app.domain.ruleset import Criterion, FactDefinition, Operator, Ruleset
from app.domain.ruleset_checks.readable import COMPANY_LINKED, MOST_FACTS
from app.domain.ruleset_checks.remark import Remark, repeated, too_many, usable, warning
from app.domain.wording import called

_COMPARING = frozenset({Operator.OVER, Operator.AT_LEAST, Operator.UNDER, Operator.AT_MOST})
_BOX = frozenset({"yes", "no"})
MOST_CRITERIA = 100
_MOST_CODES = 2000
_SHOWN = 30


def check_gates(ruleset: Ruleset) -> Iterator[Remark]:
    """Remarks on the criteria of client and request."""
    if not ruleset.client:
        yield warning("client", message("There are no criteria, so every client is a target client."))
    facts = {one.name: one for one in ruleset.facts[:MOST_FACTS]}
    for gate, criteria in (("client", ruleset.client), ("request", ruleset.request)):
        yield from _gate(gate, criteria, facts)


def _gate(gate: str, criteria: Sequence[Criterion], facts: Mapping[str, FactDefinition]) -> Iterator[Remark]:
    yield from too_many(gate, criteria, MOST_CRITERIA)
    allowed: dict[str, _Allowed] = {}
    seen: dict[object, int] = {}
    for at, criterion in enumerate(criteria[:MOST_CRITERIA]):
        path = f"{gate}.{at}"
        wrong = list(_criterion(path, criterion, facts))
        yield from wrong
        if any(remark.wrong for remark in wrong):
            continue
        same = (criterion.fact, criterion.operator, criterion.number, frozenset(map(str.casefold, criterion.codes)))
        if same in seen:
            yield Remark(path, message("repeats {path}", path=f"{gate}.{seen[same]}"))
            continue
        seen[same] = at
        kind = _kind(criterion.fact, facts)
        left = allowed.setdefault(criterion.fact, _Allowed.of(kind))
        left.narrow(criterion)
        if left.empty:
            said = message(
                "contradicts the criteria before it: no value of “{fact}” can pass them all",
                fact=called(criterion.fact),
            )
            yield Remark(path, said)
            allowed[criterion.fact] = _Allowed.of(kind)


def _kind(name: str, facts: Mapping[str, FactDefinition]) -> Kind | None:
    if name == COMPANY_LINKED:
        return Kind.FLAG
    return facts[name].kind if name in facts else None


def _criterion(path: str, criterion: Criterion, facts: Mapping[str, FactDefinition]) -> Iterator[Remark]:
    kind = _kind(criterion.fact, facts)
    if kind is None:
        known = tuple(sorted({*facts, COMPANY_LINKED}))[:_SHOWN]
        said = message("There is no fact “{fact}”; known are: {known}", fact=criterion.fact[:80], known=known)
        yield Remark(f"{path}.fact", said)
    elif (one := facts.get(criterion.fact)) and all(source.card == "deal" for source in one.sources):
        said = message("“{fact}” is read from deals only, so it is never known of a lead", fact=called(criterion.fact))
        yield Remark(f"{path}.fact", said)
    if criterion.operator in _COMPARING:
        yield from _comparing(path, criterion, kind)
    else:
        yield from _listing(path, criterion, kind)


def _comparing(path: str, criterion: Criterion, kind: Kind | None) -> Iterator[Remark]:
    if kind not in {None, Kind.NUMBER}:
        yield Remark(f"{path}.operator", _does_not_suit(criterion))
    if criterion.number is None:
        yield Remark(f"{path}.number", message("is missing: this operator compares with a number"))
    elif not usable(criterion.number):
        yield Remark(f"{path}.number", message("is not a number that can be used"))
    if criterion.codes:
        yield Remark(f"{path}.codes", message("does not go with this operator: take it away"))


def _listing(path: str, criterion: Criterion, kind: Kind | None) -> Iterator[Remark]:
    if kind in {Kind.NUMBER, Kind.DATE}:
        yield Remark(f"{path}.operator", _does_not_suit(criterion))
    if criterion.number is not None:
        yield Remark(f"{path}.number", message("does not go with this operator: take it away"))
    if not criterion.codes:
        yield Remark(f"{path}.codes", _empty_list(criterion.operator))
    yield from too_many(f"{path}.codes", criterion.codes, _MOST_CODES)
    for at, code in enumerate(criterion.codes):
        if not code.strip():
            yield Remark(f"{path}.codes.{at}", message("is empty: write a code, or take it off the list"))
        elif kind is Kind.FLAG and code.casefold() not in _BOX:
            yield Remark(f"{path}.codes.{at}", message("A box is yes or no."))
    yield from repeated(f"{path}.codes", criterion.codes)


def _empty_list(operator: Operator) -> Message:
    if operator is Operator.ONE_OF:
        return message("The list is empty: nobody could ever pass. Name at least one code.")
    return message("The list is empty: nobody would be excluded. Name a code, or take the criterion away.")


def _does_not_suit(criterion: Criterion) -> Message:
    return message(
        "“{operator}” does not suit “{fact}”: numbers are compared, codes, boxes and texts are looked up in a list",
        operator=criterion.operator.value,
        fact=called(criterion.fact),
    )


@dataclass(slots=True)
class _Allowed:
    """What a fact may still be when all criteria so far hold. `codes` None: any."""

    several: bool = False
    least: tuple[Decimal, bool] | None = None
    most: tuple[Decimal, bool] | None = None
    codes: set[str] | None = None
    excluded: set[str] = field(default_factory=set[str])
    lists: list[set[str]] = field(default_factory=list[set[str]])

    @classmethod
    def of(cls, kind: Kind | None) -> "_Allowed":
        """Before any criterion."""
        return cls(several=kind is Kind.CODES, codes=set(_BOX) if kind is Kind.FLAG else None)

    def narrow(self, criterion: Criterion) -> None:
        """Let the criterion hold too; bounds are kept with whether they are strict."""
        codes = {code.casefold() for code in criterion.codes}
        number = criterion.number or Decimal(0)
        match criterion.operator:
            case Operator.OVER | Operator.AT_LEAST:
                bound = (number, criterion.operator is Operator.OVER)
                self.least = bound if self.least is None else max(self.least, bound)
            case Operator.UNDER | Operator.AT_MOST:
                bound = (number, criterion.operator is Operator.AT_MOST)
                self.most = bound if self.most is None else min(self.most, bound)
            case Operator.ONE_OF:
                self.lists.append(codes)
                self.codes = codes if self.codes is None else self.codes & codes
            case Operator.NONE_OF:
                self.excluded |= codes

    @property
    def empty(self) -> bool:
        """Whether no value is left."""
        if self.least is not None and self.most is not None:
            (low, above), (high, included) = self.least, self.most
            if low > high or (low == high and (above or not included)):
                return True
        if self.several:
            return any(codes <= self.excluded for codes in self.lists)
        return self.codes is not None and self.codes <= self.excluded
