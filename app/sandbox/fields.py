"""One field of a CRM object: what it is called in both API families and which values it holds.

Values are kept in the form `crm.item.*` prints; the legacy family is a rendering of them.
Called by saving, filters and rendering. Knows nothing of storage.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from app.sandbox.dates import PortalTime
from app.sandbox.errors import FieldError
from app.sandbox.wire import as_int, as_list

EMPTY: tuple[Any, ...] = (None, "", 0, False)
YES = {"Y", "1", "true", "True", "y"}
NO = {"N", "0", "false", "False", "n", ""}
NUMERIC = {"integer", "user", "crm_company", "crm_contact", "crm_lead", "crm_quote", "crm_deal", "crm_entity"}


@dataclass(frozen=True, slots=True)
class Field:
    """`name` as `crm.item.*` says it (custom fields by their original name), `upper` as the legacy family."""

    name: str
    upper: str
    type: str
    read_only: bool = False
    multiple: bool = False
    in_item: bool = True
    in_legacy: bool = True
    empty: Any = None
    dynamic: bool = False
    status_type: str | None = None
    options: frozenset[int] = frozenset()
    title: str = ""

    @property
    def linked_number(self) -> bool:
        return self.type in NUMERIC or self.type in {"crm_category", "employee"}


def normalise(field: Field, value: Any, time: PortalTime) -> Any:
    """The stored form of a value sent by a client. Raises FieldError where the field cannot hold it."""
    if not field.multiple:
        return _single(field, value, time)
    if value is None or value is False:
        return []
    if not isinstance(value, (list, dict)):
        raise FieldError(field.upper, scalar_type=type(cast("object", value)).__name__)
    kept: list[Any] = []
    for item in as_list(value):
        one = _single(field, item, time)
        if one not in EMPTY and one not in kept:
            kept.append(one)
    return kept


def same(left: Any, right: Any) -> bool:
    """Whether a save would change nothing: all the ways to say "nothing" are one."""
    if left == right:
        return True
    return _blank(left) and _blank(right)


def _blank(value: Any) -> bool:
    return value == [] or value in EMPTY


def number(value: float) -> int | float:
    """The portal prints 19000 and 999.9, never 19000.0."""
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded


def _single(field: Field, value: Any, time: PortalTime) -> Any:
    if value is None:
        return field.empty
    reader = _READERS.get(field.type, _text)
    return reader(field, value, time)


def _text(field: Field, value: Any, time: PortalTime) -> Any:
    del time
    if isinstance(value, (list, dict)):
        raise FieldError(field.upper)
    if value is False:
        return ""
    return "1" if value is True else str(value)


def _integer(field: Field, value: Any, time: PortalTime) -> Any:
    del time
    if value == "" or value is False:
        return field.empty if field.type == "integer" else 0
    found = as_int(value)
    if found is None:
        raise FieldError(field.upper)
    return found


def _double(field: Field, value: Any, time: PortalTime) -> Any:
    del time
    if value == "" or value is False:
        return field.empty
    try:
        return number(float(str(value).replace(",", ".")))
    except (ValueError, OverflowError):
        raise FieldError(field.upper) from None


def _boolean(field: Field, value: Any, time: PortalTime) -> Any:
    del time
    text = str(value)
    if text in YES:
        return "Y"
    if text in NO:
        return "N"
    raise FieldError(field.upper)


def _datetime(field: Field, value: Any, time: PortalTime) -> Any:
    if value in ("", False):
        return None
    found = time.read(value)
    if found is None:
        raise FieldError(field.upper)
    return found


def _date(field: Field, value: Any, time: PortalTime) -> Any:
    if value in ("", False):
        return None
    found = time.read_date(value)
    if found is None:
        raise FieldError(field.upper)
    return found


def _enumeration(field: Field, value: Any, time: PortalTime) -> Any:
    """Stored by the numeric id of the list row, never by its text (docs: crm.lead.userfield.list)."""
    del time
    if value in ("", False, 0, "0"):
        return None
    found = as_int(value)
    if found is None or found not in field.options:
        raise FieldError(field.upper)
    return found


Reader = Callable[[Field, Any, PortalTime], Any]
_READERS: dict[str, Reader] = {
    **dict.fromkeys((*NUMERIC, "crm_category", "employee"), _integer),
    "double": _double,
    "boolean": _boolean,
    "datetime": _datetime,
    "date": _date,
    "enumeration": _enumeration,
}


def camel_custom(upper: str) -> str:
    """`UF_CRM_1747309879` -> `ufCrm_1747309879`, `UF_CRM_2_16` -> `ufCrm2_16` (docs: crm-item-get, -list).

    The docs show digits only; a part of letters is joined in camelCase, as everywhere in this API.
    """
    parts = upper.split("_")[2:]
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        return f"ufCrm{parts[0]}_{parts[1]}"
    return "ufCrm" + "".join(_camel_part(part) for part in parts)


def _camel_part(part: str) -> str:
    return f"_{part}" if part[:1].isdigit() else part.capitalize()


def by_name(fields: Iterable[Field]) -> dict[str, Field]:
    return {field.name: field for field in fields}
