"""One raw portal value to one typed value: numbers, boxes, dates, codes, whatever form the portal prints them in.

Called by `reading.py`. Knows nothing of cards, sources or rules. Empty gives None; what is filled in but cannot be
understood raises `NotUnderstoodError` with the reason, never a guess and never another exception.
"""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from app.domain.messages import Message, message

_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2007": " ", "'": " ", "\u2212": "-"})
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)"
    r"(?P<whole>[0-9]{1,3}(?: [0-9]{3})+|[0-9]{1,3}(?:,[0-9]{3}){2,}|[0-9]{1,3}(?:\.[0-9]{3}){2,}"
    r"|[0-9]{1,3}(?:,[0-9]{3})+(?=\.)|[0-9]{1,3}(?:\.[0-9]{3})+(?=,)|[0-9]+|(?=[.,][0-9]))"
    r"(?:[.,](?P<part>[0-9]*))?"
    r"(?:[eE](?P<power>[+-]?[0-9]{1,2}))?"
)
_LONGEST_NUMBER = 40
_LARGEST = Decimal(10) ** 18
_SMALLEST_POWER = -12
_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?", re.DOTALL)
_RUSSIAN_DAY = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?: .*)?", re.DOTALL)
_TICKED = frozenset({"1", "y", "yes", "true", "да"})
_UNTICKED = frozenset({"0", "n", "no", "false", "нет"})
_SHOWN = 40


class NotUnderstoodError(ValueError):
    """A filled-in value that cannot be understood; `problem` says why, in words for the manager."""

    def __init__(self, problem: Message) -> None:
        super().__init__(problem.template)
        self.problem = problem


def is_empty(raw: Any) -> bool:
    """What the portal prints for "not filled in": null, false, `""`, `[]` (api-reference/data-types)."""
    if isinstance(raw, str):
        return not raw.translate(_SPACES).strip()
    return raw is None or raw is False or (isinstance(raw, list | tuple | dict) and not raw)


def is_zero(raw: Any) -> bool:
    """0 in any print: `0`, `"0"`, `"0.00"`, `"0.00|RUB"`; empty where a zero stands for "not filled in"."""
    if not isinstance(raw, int | float | str):
        return False
    digits = str(raw).partition("|")[0].strip()
    return bool(re.fullmatch(r"0+(?:[.,]0*)?", digits))


def shown(raw: Any) -> str:
    """A raw value short and printable, to be quoted in a message."""
    text = "".join(sign for sign in str(raw)[:200] if sign.isprintable())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def number(raw: Any) -> tuple[Decimal, str]:
    """A number and the currency printed with it (`"1500|EUR"`), else `""`. Spaces group, a comma is a decimal mark."""
    value = sole(raw)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise _not_a_number(raw)
    if isinstance(value, float) and not math.isfinite(value):
        raise _not_a_number(raw)
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise _not_a_number("…")
    digits, _, currency = (repr(value) if isinstance(value, float) else str(value)).partition("|")
    digits = digits.translate(_SPACES).strip()
    found = _NUMBER.fullmatch(digits) if len(digits) <= _LONGEST_NUMBER else None
    if found is None:
        raise _not_a_number(raw)
    whole = re.sub(r"[ .,]", "", found["whole"]) or "0"
    read = Decimal(f"{found['sign']}{whole}.{found['part'] or '0'}E{found['power'] or '0'}")
    if read and (abs(read) > _LARGEST or read.adjusted() < _SMALLEST_POWER):
        raise _not_a_number(raw)
    return plain_number(read), currency.strip().upper()


def plain_number(value: Decimal) -> Decimal:
    """The same number in one form: no trailing zeros, no exponent, no negative zero."""
    short = value.normalize()
    if not short:
        return Decimal(0)
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short


def box(raw: Any) -> bool:
    """A checkbox; custom ones print Y/N, 1/0 or true/false depending on the method (api-reference/data-types)."""
    value = sole(raw)
    if isinstance(value, bool):
        return value
    word = (repr(value) if isinstance(value, int) else str(value)).strip().lower()
    word = {"1.0": "1", "0.0": "0"}.get(word, word)
    if word in _TICKED:
        return True
    if word in _UNTICKED:
        return False
    raise NotUnderstoodError(message("“{value}” is neither yes nor no", value=shown(raw)))


def day(raw: Any) -> date:
    """A calendar date as printed: the offset of a date and time is not applied."""
    value = sole(raw)
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip()
    if found := _ISO_DAY.fullmatch(text):
        year, month, of_month = found.groups()
    elif found := _RUSSIAN_DAY.fullmatch(text):
        of_month, month, year = found.groups()
    else:
        raise _not_a_day(raw)
    try:
        return date(int(year), int(month), int(of_month))
    except ValueError:
        raise _not_a_day(raw) from None


def code(raw: Any, items: Mapping[str, str] | None) -> str:
    """A dictionary code. `items`: codes by enumeration item id; None when the field is not an enumeration."""
    value = sole(raw)
    if isinstance(value, bool):
        return "yes" if value else "no"
    printed = one_line(f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value))
    if items is None:
        return printed
    if printed in items:
        return items[printed]
    raise NotUnderstoodError(message("the portal does not know the list item “{value}”", value=shown(raw)))


def codes(raw: Any, items: Mapping[str, str] | None) -> tuple[str, ...]:
    """The codes of a multiple field, sorted, each once; empty entries are left out."""
    entries = cast("list[Any]", raw) if isinstance(raw, list | tuple) else [raw]
    return tuple(sorted({code(entry, items) for entry in entries if not is_empty(entry) and not is_zero(entry)}))


def one_line(text: str) -> str:
    """Text without control characters and half surrogates, which PostgreSQL would not store."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return " ".join("".join(sign if sign.isprintable() else " " for sign in line).split())


def sole(raw: Any) -> Any:
    """The value itself, also when it stands alone in a list, as multiple fields print it."""
    if isinstance(raw, list | tuple):
        entries = [entry for entry in cast("list[Any]", raw) if not is_empty(entry)]
        if len(entries) == 1:
            return entries[0]
        raise NotUnderstoodError(message("there are several values where one is expected"))
    return raw


def _not_a_number(raw: Any) -> NotUnderstoodError:
    return NotUnderstoodError(message("“{value}” is not a number", value=shown(raw)))


def _not_a_day(raw: Any) -> NotUnderstoodError:
    return NotUnderstoodError(message("“{value}” is not a date", value=shown(raw)))
