"""Facts: typed values about a card, each with its source, or unknown with the reason why.

Made by `reading.py` from what the portal said, judged by the stages, stored with every run so that a later
ruleset can judge the same card again without a REST call.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from enum import Enum
from hashlib import sha256
from typing import Any, TypeAlias, assert_never

from app.domain.messages import Message, message_from_json, message_to_json


class Truth(Enum):
    """Kleene's three values. Unknown is never No."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def __invert__(self) -> "Truth":
        match self:
            case Truth.YES:
                return Truth.NO
            case Truth.NO:
                return Truth.YES
            case Truth.UNKNOWN:
                return Truth.UNKNOWN

    @property
    def known(self) -> bool:
        """True for yes and no."""
        return self is not Truth.UNKNOWN

    @property
    def possible(self) -> tuple[bool, ...]:
        """The answers it may still turn out to be: one when known, both when not."""
        match self:
            case Truth.YES:
                return (True,)
            case Truth.NO:
                return (False,)
            case Truth.UNKNOWN:
                return (True, False)

    @classmethod
    def of(cls, value: bool | None) -> "Truth":
        """None is unknown."""
        if value is None:
            return cls.UNKNOWN
        return cls.YES if value else cls.NO


def all_of(truths: Iterable[Truth]) -> Truth:
    """Kleene conjunction: any No is No, else any Unknown is Unknown; of nothing it is Yes."""
    seen = set(truths)
    if Truth.NO in seen:
        return Truth.NO
    return Truth.UNKNOWN if Truth.UNKNOWN in seen else Truth.YES


def any_of(truths: Iterable[Truth]) -> Truth:
    """Kleene disjunction: any Yes is Yes, else any Unknown is Unknown; of nothing it is No."""
    return ~all_of(~truth for truth in truths)


@dataclass(frozen=True, slots=True)
class Row:
    """One product row of a card; `product_id` 0 is free text with no nomenclature behind it.

    `section_ids`: the product's catalog section and those above it; empty at the root, None when not read.
    """

    product_id: int
    name: str
    section_ids: tuple[int, ...] | None = ()


FactValue: TypeAlias = Decimal | bool | date | str | tuple[str, ...] | tuple[date, ...] | tuple[Row, ...]


class Kind(Enum):
    """What sort of value a fact holds; decides how it is parsed, compared and stored."""

    NUMBER = "number"
    FLAG = "flag"
    DATE = "date"
    CODE = "code"  # a dictionary or enumeration code: MANUFACTURING, yes
    CODES = "codes"
    TEXT = "text"
    DATES = "dates"
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Fact:
    """One typed value about a card; `value` None is unknown.

    `source` is `card.FIELD`, e.g. `lead.UF_CRM_OGON_STEAM_TPH`; `problem` says why a filled-in value could not
    be understood; `others` are further known sources that say the same or something else (source, value). `title` and
    `question` are the admin's own words for it; they are the ruleset's and not stored with the fact.
    """

    name: str
    kind: Kind
    value: FactValue | None
    source: str = ""
    problem: Message | None = None
    others: tuple[tuple[str, FactValue], ...] = ()
    title: str = ""
    question: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


class Facts(Mapping[str, Fact]):
    """The facts of one card by name. A name nobody filled reads as an unknown fact, never as an error."""

    __slots__ = ("_facts",)

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._facts = {fact.name: fact for fact in facts}

    def __getitem__(self, name: str) -> Fact:
        return self._facts.get(name) or Fact(name, Kind.TEXT, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __contains__(self, name: object) -> bool:
        return name in self._facts

    def number(self, name: str) -> Decimal | None:
        """The fact as a number, None when unknown or of another kind."""
        value = self[name].value
        return value if isinstance(value, Decimal) else None

    def code(self, name: str) -> str | None:
        """The fact as a code or text, None when unknown or of another kind."""
        value = self[name].value
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> Truth:
        """The fact as a three-valued flag."""
        value = self[name].value
        return Truth.of(value if isinstance(value, bool) else None)

    def day(self, name: str) -> date | None:
        """The fact as a calendar date."""
        value = self[name].value
        if isinstance(value, datetime):
            return value.date()
        return value if isinstance(value, date) else None

    def days(self, name: str) -> tuple[date, ...] | None:
        """The fact as calendar dates; None when they could not be read."""
        value = self[name].value
        if not isinstance(value, tuple):
            return None
        return tuple(day for day in value if isinstance(day, date))

    def codes(self, name: str) -> tuple[str, ...] | None:
        """The fact as codes, None when unknown or of another kind."""
        value = self[name].value
        if not isinstance(value, tuple):
            return None
        return tuple(code for code in value if isinstance(code, str))

    def rows(self, name: str) -> tuple[Row, ...] | None:
        """The fact as product rows; None when they could not be read, empty when there are none."""
        value = self[name].value
        if not isinstance(value, tuple):
            return None
        return tuple(row for row in value if isinstance(row, Row))

    def with_(self, *changed: Fact) -> "Facts":
        """A copy with some facts replaced: for what-if and for the law of the flip."""
        return Facts([*(f for f in self._facts.values() if f.name not in {c.name for c in changed}), *changed])

    def to_json(self) -> dict[str, Any]:
        """As stored with the run; `from_json` reads it back equal."""
        return {name: _fact_to_json(fact) for name, fact in sorted(self._facts.items())}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Facts":
        """Read what `to_json` wrote."""
        return cls(_fact_from_json(name, stored) for name, stored in document.items())

    def digest(self) -> str:
        """Equal for equal values, whatever their source: tells new facts from the same facts."""
        values = {name: _canonical(f.value) for name, f in sorted(self._facts.items()) if f.value is not None}
        return sha256(json.dumps(values, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:32]


def _fact_to_json(fact: Fact) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": fact.kind.value,
        "value": _value_to_json(fact.value),
        "source": fact.source,
    }
    if fact.problem is not None:
        document["problem"] = message_to_json(fact.problem)
    if fact.others:
        document["others"] = [[source, _value_to_json(value)] for source, value in fact.others]
    return document


_KINDS = {kind.value: kind for kind in Kind}


def _fact_from_json(name: str, stored: Mapping[str, Any]) -> Fact:
    # Replays read millions of these: what most facts have not is not even looked through.
    kind, raw = _KINDS[stored["kind"]], stored["value"]
    problem, others = stored.get("problem"), stored.get("others")
    return Fact(
        name,
        kind,
        None if raw is None else value_from_json(kind, raw),
        stored.get("source", ""),
        message_from_json(problem) if problem else None,
        _others(kind, others) if others else (),
    )


def _others(kind: Kind, stored: Iterable[tuple[str, Any]]) -> tuple[tuple[str, FactValue], ...]:
    return tuple((source, value) for source, raw in stored if (value := value_from_json(kind, raw)) is not None)


_EXACT = Context(prec=100, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def _canonical(value: FactValue) -> Any:
    """JSON in which 3.5 and 3.50 are one number."""
    return str(value.normalize(_EXACT)) if isinstance(value, Decimal) else _value_to_json(value)


def _value_to_json(value: FactValue | None) -> Any:
    match value:
        case None | bool() | str():
            return value
        case Decimal():
            return str(value)
        case date():
            return value.isoformat()
        case tuple():
            return [_item_to_json(item) for item in value]
        case _:
            assert_never(value)


def _item_to_json(item: str | date | Row) -> Any:
    match item:
        case str():
            return item
        case date():
            return item.isoformat()
        case Row():
            return {"product_id": item.product_id, "name": item.name, "section_ids": _listed(item.section_ids)}


def _listed(ids: tuple[int, ...] | None) -> list[int] | None:
    return None if ids is None else list(ids)


def _section_ids(stored: list[int] | None) -> tuple[int, ...] | None:
    return None if stored is None else tuple(stored)


def value_from_json(kind: Kind, raw: Any) -> FactValue | None:
    """A fact's value from its JSON form, also from `Flip.value`; one code stands for a list of one.

    Raises ValueError, TypeError, KeyError or decimal.InvalidOperation when it is not of that kind.
    """
    if raw is None:
        return None
    match kind:
        case Kind.NUMBER:
            return Decimal(raw)
        case Kind.FLAG:
            return bool(raw)
        case Kind.DATE:
            return date.fromisoformat(raw)
        case Kind.CODE | Kind.TEXT:
            return str(raw)
        case Kind.CODES:
            return (raw,) if isinstance(raw, str) else tuple(str(item) for item in raw)
        case Kind.DATES:
            return tuple(date.fromisoformat(item) for item in raw)
        case Kind.ROWS:
            return tuple(Row(r["product_id"], r["name"], _section_ids(r.get("section_ids"))) for r in raw)
