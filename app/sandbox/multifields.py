"""Phones, e-mails, sites and messengers of a card: one list of rows, and the search over them.

Called by saving and by `crm.duplicate.findbycomm`. Docs: crm/data-types (crm_multifield),
crm/universal/crm-item-update (fm), crm/duplicates/crm-duplicate-find-by-comm.
"""

import re
from collections.abc import Callable
from typing import Any

from app.sandbox.wire import as_int, as_list, as_map

Row = dict[str, Any]
TYPES = ("PHONE", "EMAIL", "WEB", "IM", "LINK")
_ALIASES = {
    "phone": ("PHONE", None),
    "phoneWork": ("PHONE", "WORK"),
    "phoneMobile": ("PHONE", "MOBILE"),
    "phoneMailing": ("PHONE", "MAILING"),
    "email": ("EMAIL", None),
    "emailWork": ("EMAIL", "WORK"),
    "emailHome": ("EMAIL", "HOME"),
    "emailMailing": ("EMAIL", "MAILING"),
    "imol": ("IM", "OPENLINE"),
}
_EXTENSION = re.compile(r"(;|,|#|доб|ext|x).*$", re.IGNORECASE)
_RU_NUMBER_LENGTH = 11


def changed_rows(current: list[Row], sent: Any, new_id: Callable[[], int]) -> list[Row]:
    """`fm` of crm.item: `n*` keys add, row ids change, an empty value deletes, no `typeId` does nothing."""
    rows = {row["id"]: dict(row) for row in current}
    keyless = isinstance(sent, list)
    for key, raw in as_map(sent).items():
        entry = as_map(raw)
        type_id = str(entry.get("typeId") or "").upper()
        if type_id not in TYPES:
            continue
        row_id = as_int(entry.get("id") if keyless else key)
        value = str(entry.get("value") or "").strip()
        if row_id in rows:
            _change(rows, row_id, entry, value)
        elif value:
            made = new_id()
            value_type = str(entry.get("valueType") or "WORK")
            rows[made] = {"id": made, "valueType": value_type, "value": value, "typeId": type_id}
    return list(rows.values())


def legacy_entries(fields: Row) -> dict[str, Row]:
    """`PHONE: [{VALUE, VALUE_TYPE, ID?, DELETE?}]` of the legacy family as `fm` operations."""
    operations: dict[str, Row] = {}
    for type_id in TYPES:
        for raw in as_list(fields.get(type_id)):
            entry = as_map(raw)
            gone = entry.get("DELETE") == "Y"
            key = str(entry.get("ID") or f"n{len(operations)}")
            operation = {"typeId": type_id, "value": "" if gone else entry.get("VALUE")}
            if entry.get("VALUE_TYPE"):
                operation["valueType"] = entry["VALUE_TYPE"]
            operations[key] = operation
    return operations


def aliases(rows: list[Row]) -> Row:
    """The flat conveniences of crm.item: the first value of each type, and hasPhone, hasEmail, hasImol."""
    flat: Row = {}
    for name, (type_id, value_type) in _ALIASES.items():
        values = (r["value"] for r in rows if r["typeId"] == type_id and value_type in {None, r["valueType"]})
        flat[name] = next(values, "")
    flat["hasPhone"] = "Y" if flat["phone"] else "N"
    flat["hasEmail"] = "Y" if flat["email"] else "N"
    flat["hasImol"] = "Y" if flat["imol"] else "N"
    return flat


def legacy_rows(rows: list[Row], type_id: str) -> list[Row]:
    return [
        {"ID": str(row["id"]), "VALUE_TYPE": row["valueType"], "VALUE": row["value"], "TYPE_ID": type_id}
        for row in rows
        if row["typeId"] == type_id
    ]


def search_key(type_id: str, value: str) -> str:
    """Phones by digits without extension (8… and 7… of a Russian number are one), e-mails by lower case."""
    if type_id != "PHONE":
        return value.strip().lower()
    digits = re.sub(r"\D", "", _EXTENSION.sub("", value))
    if len(digits) == _RU_NUMBER_LENGTH and digits.startswith("8"):
        return "7" + digits[1:]
    return digits


class CommunicationIndex:
    """Who has this phone or e-mail."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], set[tuple[int, int]]] = {}

    def replace(self, owner: tuple[int, int], before: list[Row], after: list[Row]) -> None:
        for row in before:
            self._owners.get(self._key(row), set()).discard(owner)
        for row in after:
            self._owners.setdefault(self._key(row), set()).add(owner)

    def find(self, type_id: str, value: str, entity_type_id: int) -> list[int]:
        owners = self._owners.get((type_id, search_key(type_id, value)), set())
        return sorted(entity_id for kind, entity_id in owners if kind == entity_type_id)

    @staticmethod
    def _key(row: Row) -> tuple[str, str]:
        return row["typeId"], search_key(row["typeId"], row["value"])


def _change(rows: dict[int, Row], row_id: int | None, entry: Row, value: str) -> None:
    if row_id is None:
        return
    if "value" in entry and not value:
        del rows[row_id]
        return
    rows[row_id]["value"] = value or rows[row_id]["value"]
    rows[row_id]["valueType"] = str(entry.get("valueType") or rows[row_id]["valueType"])
