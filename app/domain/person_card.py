"""What a lead tells about the person behind it, in the form a contact's card takes. Used by `conversion.py`.

Multifields go as rows of typeId, valueType and value (api-reference/crm/universal/crm-item-add, contact).
"""

from collections.abc import Mapping
from typing import Any, cast

from app.domain.difference import is_empty
from app.domain.snapshot import RawCard

_NAMES = ("honorific", "name", "secondName", "lastName")
_COPIED = ("post", "birthdate", "sourceId", "sourceDescription")
_REACHABLE_BY = frozenset({"PHONE", "EMAIL"})
# The flat aliases that crm.item prints beside `fm`; the only form a list with a named select can give.
_ALIASES = (
    ("phoneMobile", "PHONE", "MOBILE"),
    ("phoneWork", "PHONE", "WORK"),
    ("phoneMailing", "PHONE", "MAILING"),
    ("phone", "PHONE", "WORK"),
    ("emailWork", "EMAIL", "WORK"),
    ("emailHome", "EMAIL", "HOME"),
    ("emailMailing", "EMAIL", "MAILING"),
    ("email", "EMAIL", "WORK"),
)


def told_by_lead(lead: RawCard) -> dict[str, Any]:
    """Contact fields known from the lead; empty when it names no person, phone or e-mail."""
    names = {name: lead[name] for name in _NAMES if not is_empty(lead.get(name))}
    rows = multifields(lead)
    reachable = [row["value"] for row in rows if row["typeId"] in _REACHABLE_BY]
    if not (names.keys() - {"honorific"}) and not reachable:
        return {}
    if not names.keys() & {"name", "lastName"}:
        # A contact needs a name to be found in a list; a nameless one is called by its phone or e-mail.
        names["name"] = names.get("secondName") or reachable[0]
    copied = {name: lead[name] for name in _COPIED if not is_empty(lead.get(name))}
    return {**names, **copied, **({"fm": rows} if rows else {})}


def multifields(lead: RawCard) -> list[dict[str, str]]:
    """The lead's phones, e-mails and other addresses as new rows, each value once."""
    rows = {(row["typeId"], row["value"]): row for row in reversed(_from_fm(lead) or _from_aliases(lead))}
    return list(reversed(rows.values()))


def _from_fm(lead: RawCard) -> list[dict[str, str]]:
    stored = lead.get("fm")
    items = cast("list[Any]", stored) if isinstance(stored, list) else []
    rows = (cast("Mapping[str, Any]", item) for item in items if isinstance(item, Mapping))
    return [
        _row(str(row["typeId"]), str(row.get("valueType") or "WORK"), str(row["value"]))
        for row in rows
        if not is_empty(row.get("typeId")) and not is_empty(row.get("value"))
    ]


def _from_aliases(lead: RawCard) -> list[dict[str, str]]:
    return [
        _row(type_id, value_type, str(lead[alias]))
        for alias, type_id, value_type in _ALIASES
        if not is_empty(lead.get(alias))
    ]


def _row(type_id: str, value_type: str, value: str) -> dict[str, str]:
    return {"typeId": type_id, "valueType": value_type, "value": value.strip()}
