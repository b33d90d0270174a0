"""The difference between what a card says and what it should say, as the portal prints and takes values.

Used by the planning modules only. Empty values, numbers as text and enumeration ids are compared the way the
portal means them, so that a card that is already right gets no write.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any, cast

from app.domain.snapshot import Entity, PortalDictionary, RawCard

WHY_LENGTH = 255
"""Characters that a custom string field takes for certain."""


def is_empty(value: Any) -> bool:
    """Not filled in: null, false, an empty text, list or map (api-reference/crm/universal/crm-item-get)."""
    match value:
        case None | False:
            return True
        case str():
            return not value.strip()
        case list() | tuple() | dict():
            return not cast("list[Any]", value)
        case _:
            return False


def same(left: Any, right: Any) -> bool:
    """Whether the portal would mean the same by both: `"12"` and 12, null and `""`."""
    if is_empty(left) or is_empty(right):
        return is_empty(left) and is_empty(right)
    if isinstance(left, list | tuple) or isinstance(right, list | tuple):
        return _as_list(left) == _as_list(right)
    left_number, right_number = _number(left), _number(right)
    if left_number is not None and right_number is not None:
        return left_number == right_number
    return str(left) == str(right)


def changed(card: RawCard, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The wanted fields whose value on the card differs."""
    return {name: value for name, value in wanted.items() if not same(card.get(name), value)}


def link(value: Any) -> int | None:
    """The id in a link field; the portal prints 0, `"0"` or null for no link."""
    number = _number(value)
    return int(number) if number is not None and number > 0 else None


def links(value: Any) -> tuple[int, ...]:
    """The ids in a multiple link field."""
    items = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
    return tuple(found for item in items if (found := link(item)) is not None)


def enumeration_id(dictionary: PortalDictionary, entity: Entity, field: str, code: str) -> int | None:
    """The numeric id by which a custom enumeration takes `code`; None when the field or the item does not exist."""
    if (entity, field) not in dictionary.fields:
        return None
    items = dictionary.enumerations.get((entity, field), {})
    return next((int(item) for item, known in items.items() if known == code and item.isdigit()), None)


def digest(*parts: Any) -> str:
    """Short and equal for equal JSON-shaped parts."""
    return sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()[:16]


def as_sentence(text: str) -> str:
    """The text on one line, beginning with a capital."""
    flat = " ".join(text.split())
    return flat[:1].upper() + flat[1:]


def one_line(text: str, limit: int = WHY_LENGTH) -> str:
    """A sentence cut with an ellipsis to what a string field takes."""
    flat = as_sentence(text)
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def _as_list(value: Any) -> list[str]:
    items = cast("list[Any]", value) if isinstance(value, list | tuple) else [value]
    return sorted(str(item) for item in items)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
