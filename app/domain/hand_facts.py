"""Facts given by hand, for a what-if without any card. Called by previews.

Values are read the way the portal's own prints are, so that `"3,5"`, `3.5` and `"yes"` mean here what they mean there.
"""

from collections.abc import Mapping
from typing import Any, assert_never, cast

from app.domain import raw_values
from app.domain.facts import Fact, Facts, FactValue, Kind, Row
from app.domain.messages import Message, message
from app.domain.raw_values import NotUnderstoodError
from app.domain.reading import LEAD_REQUEST_ANSWER, REQUEST_ANSWER
from app.domain.ruleset import Ruleset
from app.domain.snapshot import Entity

SOURCE = "given"
_LARGEST_ID = 10**15
_MOST_ITEMS = 500
_GATHERED: Mapping[Entity, Mapping[str, Kind]] = {
    Entity.LEAD: {"rows": Kind.ROWS, "text": Kind.TEXT, "company_title": Kind.TEXT, "company_linked": Kind.FLAG},
    Entity.DEAL: {
        "rows": Kind.ROWS,
        "lead_rows": Kind.ROWS,
        "lead_text": Kind.TEXT,
        "won_deals": Kind.DATES,
        "company_linked": Kind.FLAG,
    },
}
"""What `reading.py` gathers besides the facts of the rules."""


class FactWrongError(ValueError):
    """A given value is of no use; `name` is the fact, `problem` says why, in words for the reader."""

    def __init__(self, name: str, problem: Message) -> None:
        super().__init__(problem.template)
        self.name = name
        self.problem = problem


def known_facts(entity: Entity, rules: Ruleset) -> dict[str, Kind]:
    """The facts that a card of this kind can have under the rules."""
    deal = entity is Entity.DEAL
    cards = {"lead", "company", "deal"} if deal else {"lead", "company"}
    named = {
        LEAD_REQUEST_ANSWER if deal and one.name == REQUEST_ANSWER else one.name: one.kind
        for one in rules.facts
        if any(source.card in cards for source in one.sources)
    }
    return {**named, **_GATHERED[entity]}


def facts_by_hand(entity: Entity, values: Mapping[str, Any], rules: Ruleset) -> Facts:
    """The facts with these values; null and what is not given is not known, but rows that are not given are none.

    Raises FactWrongError.
    """
    kinds = known_facts(entity, rules)
    given: dict[str, Any] = {**{name: [] for name, kind in kinds.items() if kind is Kind.ROWS}, **values}
    return Facts(_fact(name, kinds.get(name), raw) for name, raw in given.items())


def _fact(name: str, kind: Kind | None, raw: Any) -> Fact:
    if kind is None:
        raise FactWrongError(name, message("the rules know no fact of this name for such a card"))
    if raw is None:
        return Fact(name, kind, None)
    try:
        return Fact(name, kind, _value(kind, raw), SOURCE)
    except NotUnderstoodError as error:
        raise FactWrongError(name, error.problem) from None


def _value(kind: Kind, raw: Any) -> FactValue | None:
    """Raises NotUnderstoodError."""
    match kind:
        case Kind.NUMBER:
            return raw_values.number(raw)[0]
        case Kind.FLAG:
            return raw_values.box(raw)
        case Kind.DATE:
            return raw_values.day(raw)
        case Kind.CODE:
            return raw_values.code(_plain(raw), None) or None
        case Kind.CODES:
            return raw_values.codes([_plain(one) for one in _listed(raw)], None) or None
        case Kind.TEXT:
            return raw_values.one_line(str(_plain(raw))) or None
        case Kind.DATES:
            return tuple(sorted(raw_values.day(one) for one in _listed(raw)))
        case Kind.ROWS:
            return tuple(_row(one) for one in _listed(raw))
        case _:
            assert_never(kind)


def _plain(raw: Any) -> Any:
    if isinstance(raw, str | int | float):
        return raw
    raise NotUnderstoodError(message("“{value}” is not a single value", value=raw_values.shown(raw)))


def _listed(raw: Any) -> list[Any]:
    items = cast("list[Any]", raw) if isinstance(raw, list) else [raw]
    if len(items) > _MOST_ITEMS:
        raise NotUnderstoodError(message("there are more than {most} values", most=_MOST_ITEMS))
    return items


def _row(raw: Any) -> Row:
    """`{"product_id": 7, "name": "…", "section_ids": [5, 1]}`; without sections they are not known."""
    match raw:
        case {"product_id": int(product_id)} if 0 <= product_id <= _LARGEST_ID and not isinstance(product_id, bool):
            row = cast("dict[str, Any]", raw)
        case _:
            raise NotUnderstoodError(message("a row is a product_id, 0 for free text, with name and section_ids"))
    sections = row.get("section_ids")
    if sections is not None and not (isinstance(sections, list) and all(map(_is_id, cast("list[Any]", sections)))):
        raise NotUnderstoodError(message("section_ids is a list of numbers"))
    name = raw_values.one_line(str(row.get("name") or ""))
    return Row(product_id, name, None if sections is None else tuple(cast("list[int]", sections)))


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_ID
