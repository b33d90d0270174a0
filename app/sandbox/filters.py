"""List filters and orders: prefixes, nested groups, and which index narrows the search.

Called by the list methods. A filter is compiled once into a predicate over stored items
(docs: crm/universal/crm-item-list, crm/leads/crm-lead-list).
"""

import re
from collections.abc import Callable
from typing import Any, cast

from app.sandbox.dates import PortalTime
from app.sandbox.errors import FieldError, RestError
from app.sandbox.fields import EMPTY, Field, normalise
from app.sandbox.wire import as_list, as_map

Item = dict[str, Any]
Predicate = Callable[[Item], bool]

# Longest first, so that `!=%` is not read as `!`.
PREFIXES = ("!=%", "!%=", "!@", "!%", "=%", "%=", ">=", "<=", "!=", "@", "%", ">", "<", "=", "!")
FieldFinder = Callable[[str], Field | None]


def split_prefix(key: str) -> tuple[str, str]:
    """`>=ID` -> (`>=`, `ID`); no prefix means `=`."""
    for prefix in PREFIXES:
        if key.startswith(prefix):
            return prefix, key[len(prefix) :]
    return "=", key


def compile_filter(raw: Any, find: FieldFinder, time: PortalTime, *, strict: bool, nested: bool) -> Predicate:
    """`strict` refuses unknown fields (crm.item.list); otherwise the condition is dropped silently, as the
    legacy lists do. `nested` allows `{"logic": "OR", …}` groups. Raises RestError INVALID_ARG_VALUE."""
    conditions = as_map(raw)
    any_of = nested and str(conditions.get("logic", "")).upper() == "OR"
    tests: list[Predicate] = []
    for key, value in conditions.items():
        if nested and key == "logic":
            continue
        if nested and key.isdigit():
            tests.append(compile_filter(value, find, time, strict=strict, nested=True))
            continue
        prefix, name = split_prefix(key)
        field = find(name)
        if field is not None:
            tests.append(_condition(prefix, field, value, time))
        elif strict:
            raise RestError("INVALID_ARG_VALUE", f"Invalid filter: field '{name}' is not allowed in filter")
    if any_of:
        return lambda item: any(test(item) for test in tests)
    return lambda item: all(test(item) for test in tests)


def compile_order(raw: Any, find: FieldFinder, *, strict: bool) -> list[tuple[str, bool]]:
    """Pairs of (stored name, descending)."""
    order: list[tuple[str, bool]] = []
    for name, direction in as_map(raw).items():
        field = find(name)
        word = str(direction).upper()
        if field is None:
            if strict:
                raise RestError("INVALID_ARG_VALUE", f"Invalid order: field '{name}' is not allowed in order")
            continue
        if word not in {"ASC", "DESC"}:
            if strict:
                text = "Invalid order: allowed sort directions are ASC, DESC. But got"
                raise RestError("INVALID_ARG_VALUE", f"{text} '{direction}' for field '{name}'")
            word = "ASC"
        order.append((field.name, word == "DESC"))
    return order


def sort_items(items: list[Item], order: list[tuple[str, bool]]) -> list[Item]:
    for name, descending in reversed(order):
        items.sort(key=lambda item: sort_key(item.get(name)), reverse=descending)
    return items


def sort_key(value: Any) -> tuple[int, Any]:
    """Nothing first, then numbers, then text: one order for mixed columns."""
    if value is None:
        return 0, 0
    if isinstance(value, (int, float)):
        return 1, value
    return 2, str(value)


def _condition(prefix: str, field: Field, value: Any, time: PortalTime) -> Predicate:
    name = field.name
    if "%" in prefix:
        return _like(prefix, name, value)
    if prefix in {"@", "!@"} or (isinstance(value, (list, dict)) and prefix in {"=", "!", "!="}):
        wanted = {_value(field, one, time) for one in as_list(value)}
        found = _member(name, wanted)
        return found if prefix in {"@", "="} else _not(found)
    target = _value(field, value, time)
    match prefix:
        case "=":
            return _member(name, {target})
        case "!" | "!=":
            return _not(_member(name, {target}))
        case ">":
            return lambda item: _comparable(item.get(name), target) and item[name] > target
        case ">=":
            return lambda item: _comparable(item.get(name), target) and item[name] >= target
        case "<":
            return lambda item: _comparable(item.get(name), target) and item[name] < target
        case _:
            return lambda item: _comparable(item.get(name), target) and item[name] <= target


def _not(test: Predicate) -> Predicate:
    return lambda item: not test(item)


def _member(name: str, wanted: set[Any]) -> Predicate:
    blank = any(value in EMPTY for value in wanted)

    def test(item: Item) -> bool:
        value = item.get(name)
        if isinstance(value, list):
            values = cast("list[Any]", value)
            return any(one in wanted for one in values) or (blank and not values)
        return value in wanted or (blank and value in EMPTY)

    return test


def _like(prefix: str, name: str, value: Any) -> Predicate:
    own_percent = "=" in prefix
    pattern = re.escape(str(value)).replace("%", ".*").replace("_", ".") if own_percent else re.escape(str(value))
    expression = re.compile(pattern, re.IGNORECASE | re.DOTALL)
    search = expression.fullmatch if own_percent else expression.search

    def test(item: Item) -> bool:
        return search(str(item.get(name) or "")) is not None

    return _not(test) if prefix.startswith("!") else test


def _comparable(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    return isinstance(left, str) == isinstance(right, str)


def _value(field: Field, value: Any, time: PortalTime) -> Any:
    """The stored form of a filter value. Custom booleans take 1/0 only (docs: crm-item-list)."""
    if field.dynamic and field.type == "boolean":
        return {"1": "Y", "0": "N"}.get(str(int(value) if isinstance(value, bool) else value), "?")
    try:
        single = Field(field.name, field.upper, field.type, options=field.options)
        stored = normalise(single, value, time)
    except FieldError:
        text = f"Invalid filter: field '{field.upper}' has invalid value"
        raise RestError("INVALID_ARG_VALUE", text) from None
    return stored


def exact_values(raw: Any, name: str) -> list[Any] | None:
    """The values an equality condition on this field allows, or None: lets a list start from an index."""
    for key, value in as_map(raw).items():
        prefix, field = split_prefix(key)
        if field == name and prefix in {"=", "@"}:
            return as_list(value)
    return None
