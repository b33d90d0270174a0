"""How values travel to a portal: as JSON when a call goes alone, as a query string when it goes in a batch.

Called by the protocol. Both forms must mean the same, so both start from `plain`:

    None      -> ""            null cannot be written in a command, and "" is how the docs clear a field
    bool      -> "Y" or "N"    the form most CRM methods take (docs: data-types); pass 1/0 where a method wants it
    Decimal   -> "1500.00"     plain digits, no exponent
    datetime  -> ISO 8601 with offset; a naive one is refused (the portal would take it as its own time)
    date      -> YYYY-MM-DD
    Enum      -> its value
    list, tuple, set, mapping  -> the same, inside out

What a command string cannot carry exactly goes alone as JSON (`command` gives None):
an empty list or mapping, which would vanish (an empty filter, order or select is left out: that is what it
means); text with `$result`, which the portal would take for a reference
(docs: how-to-call-rest-api/batch); a key with brackets; more than 900 values, as PHP drops those past 1,000.
"""

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, cast
from urllib.parse import quote

MOST_VALUES: Final = 900
_REFERENCE: Final = "$result"
_OPTIONAL: Final = frozenset({"filter", "order", "select"})


class _NotExpressibleError(Exception):
    """This value has no exact form in a command string."""


def plain(value: object) -> Any:
    """`value` as strings, numbers, lists and dicts only. Raises `ValueError` or `TypeError` on what has no form."""
    match value:
        case None:
            return ""
        case bool():
            return "Y" if value else "N"
        case Enum():
            return plain(value.value)
        case str() | int():
            return value
        case Mapping():
            items = cast("Mapping[Any, Any]", value)
            return {str(key): plain(inner) for key, inner in items.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(inner) for inner in cast("list[Any]", value)]
        case _:
            return _plain_quantity(value)


def _plain_quantity(value: object) -> str | float:
    match value:
        case float() if math.isfinite(value):
            return value
        case Decimal() if value.is_finite():
            return format(value, "f")
        case float() | Decimal():
            raise ValueError(f"{value} is not a number a portal can store")
        case datetime() if value.tzinfo is not None:
            return value.isoformat(timespec="seconds")
        case datetime():
            raise ValueError("a datetime for a portal needs an offset: without one it is taken as portal time")
        case date():
            return value.isoformat()
        case _:
            raise TypeError(f"cannot send a {type(value).__name__} to a portal")


def body(params: Mapping[str, Any]) -> bytes:
    """A JSON request body from parameters that are already plain."""
    return json.dumps(params, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def command(method: str, params: Mapping[str, Any]) -> str | None:
    """`method?a[b]=c`, percent-encoded once, from plain parameters; None when only JSON can say it exactly."""
    if not params:
        return method
    try:
        pairs = [f"{key}={value}" for key, value in _pairs(params)]
    except _NotExpressibleError:
        return None
    return f"{method}?{'&'.join(pairs)}" if len(pairs) <= MOST_VALUES else None


def _pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        if value or isinstance(value, str | int | float) or key.lower() not in _OPTIONAL:
            yield from _flatten(_key(key), value)


def _flatten(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if _REFERENCE in value:
            raise _NotExpressibleError
        yield prefix, quote(value, safe="", errors="replace")
    elif isinstance(value, dict | list):
        inner = cast("dict[str, Any] | list[Any]", value)
        if not inner:
            raise _NotExpressibleError
        items: Any = inner.items() if isinstance(inner, dict) else enumerate(inner)
        for key, item in items:
            name = f"{prefix}[{key if isinstance(key, int) else _key(key)}]"
            if isinstance(item, int):  # pages of ids are most of what is written
                yield name, str(item)
            else:
                yield from _flatten(name, item)
    else:
        yield prefix, str(value)


@lru_cache(maxsize=1024)
def _key(key: str) -> str:
    """Written once for a name; calls repeat a few dozen."""
    if not key or "[" in key or "]" in key or _REFERENCE in key:
        raise _NotExpressibleError
    return quote(key, safe="", errors="replace")
