"""Custom fields of each object type, their list rows and their numbers (docs: crm/leads/userfield)."""

import re
from dataclasses import dataclass, field
from typing import Any

from app.sandbox.errors import RestError
from app.sandbox.fields import Field
from app.sandbox.schema import OBJECT_TYPES
from app.sandbox.wire import as_int, as_list, as_map

TYPES = {
    "string",
    "integer",
    "double",
    "boolean",
    "datetime",
    "date",
    "money",
    "url",
    "address",
    "enumeration",
    "file",
    "employee",
    "crm_status",
    "iblock_section",
    "iblock_element",
    "crm",
}
LABELS = ("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL", "ERROR_MESSAGE", "HELP_MESSAGE")
_FLAGS = ("MULTIPLE", "MANDATORY", "SHOW_FILTER", "SHOW_IN_LIST", "EDIT_IN_LIST", "IS_SEARCHABLE")
_MAX_NAME = 50


@dataclass(slots=True)
class UserFields:
    """`rows[entity_type_id][field_id]` is the stored description in the shape the API prints."""

    rows: dict[int, dict[int, dict[str, Any]]] = field(default_factory=dict[int, dict[int, dict[str, Any]]])
    next_id: int = 501
    next_option: int = 3001

    def of(self, entity_type_id: int) -> dict[int, dict[str, Any]]:
        return self.rows.setdefault(entity_type_id, {})

    def add(self, entity_type_id: int, fields: dict[str, Any]) -> int:
        """Create a field; raises RestError as the docs word it."""
        name = self._name(str(fields.get("FIELD_NAME") or ""))
        kind = str(fields.get("USER_TYPE_ID") or "")
        if not kind:
            raise RestError("", "The 'USER_TYPE_ID' field is not found.")
        if kind not in TYPES:
            raise RestError("ERROR_CORE", "Invalid custom type specified.")
        if any(row["FIELD_NAME"] == name for row in self.of(entity_type_id).values()):
            raise RestError("ERROR_CORE", f"The field {name} already exists for {entity_type_id}.")
        row = self._row(entity_type_id, name, kind, fields)
        self.of(entity_type_id)[int(row["ID"])] = row
        return int(row["ID"])

    def update(self, entity_type_id: int, field_id: int, fields: dict[str, Any]) -> None:
        row = self.of(entity_type_id)[field_id]
        for key in (*_FLAGS, "XML_ID", "SORT"):
            if key in fields and key != "MULTIPLE":
                row[key] = _sort(fields[key], 100) if key == "SORT" else str(fields[key])
        row["SETTINGS"] = {**row["SETTINGS"], **as_map(fields.get("SETTINGS"))}
        for key in LABELS:
            if key in fields:
                row[key] = fields[key]
        if "LIST" in fields:
            row["LIST"] = self._merged_options(row.get("LIST", []), as_list(fields["LIST"]))

    def field(self, row: dict[str, Any]) -> Field:
        """The field as the rest of the portal sees it."""
        options = frozenset(int(option["ID"]) for option in row.get("LIST", []))
        multiple = row["MULTIPLE"] == "Y"
        return Field(
            name=row["FIELD_NAME"],
            upper=row["FIELD_NAME"],
            type=row["USER_TYPE_ID"],
            multiple=multiple,
            empty=[] if multiple else None,
            dynamic=True,
            status_type=row["SETTINGS"].get("ENTITY_TYPE"),
            options=options,
            title=label(row["EDIT_FORM_LABEL"]),
        )

    def _name(self, raw: str) -> str:
        if not raw:
            raise RestError("", "The 'FIELD_NAME' field is not found.")
        name = raw.upper()
        bare = name.removeprefix("UF_CRM_") if name.startswith("UF_CRM_") else name.removeprefix("UF_")
        full = f"UF_CRM_{bare}"
        if len(full) > _MAX_NAME:
            raise RestError("ERROR_CORE", f"Field name is too long (more than {_MAX_NAME} characters).")
        if not re.fullmatch(r"[A-Z0-9_]+", full):
            raise RestError(
                "ERROR_CORE", "Field name contains invalid characters. Allowed characters are: A-Z, 0-9 and _."
            )
        return full

    def _row(self, entity_type_id: int, name: str, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
        self.next_id += 2
        title = fields.get("LABEL") or name
        row: dict[str, Any] = {
            "ID": str(self.next_id),
            "ENTITY_ID": OBJECT_TYPES[entity_type_id].entity_id,
            "FIELD_NAME": name,
            "USER_TYPE_ID": kind,
            "XML_ID": fields.get("XML_ID"),
            "SORT": _sort(fields.get("SORT"), 100),
            **{flag: str(fields.get(flag) or "N") for flag in _FLAGS},
            "SETTINGS": as_map(fields.get("SETTINGS")),
        }
        row["EDIT_IN_LIST"] = str(fields.get("EDIT_IN_LIST") or "Y")
        if kind == "boolean":
            row["MULTIPLE"] = "N"
        for key in LABELS:
            row[key] = fields.get(key) or (title if key not in {"ERROR_MESSAGE", "HELP_MESSAGE"} else None)
        if kind == "enumeration":
            row["LIST"] = self._merged_options([], as_list(fields.get("LIST")))
        return row

    def _merged_options(self, existing: list[dict[str, Any]], sent: list[Any]) -> list[dict[str, Any]]:
        """Rows with an ID change that row (DEL = Y removes it); rows without one are added."""
        merged = {int(option["ID"]): option for option in existing}
        for raw in sent:
            option = as_map(raw)
            known = as_int(option.get("ID"))
            if known in merged and option.get("DEL") == "Y":
                del merged[known]
            elif known in merged:
                changes = {k: _sort(v, 0) if k == "SORT" else str(v) for k, v in option.items()}
                merged[known] = {**merged[known], **changes}
            elif option.get("VALUE"):
                made = self._option(option, taken=list(merged.values()))
                merged[int(made["ID"])] = made
        return sorted(merged.values(), key=lambda option: int(option["SORT"]))

    def _option(self, option: dict[str, Any], taken: list[dict[str, Any]]) -> dict[str, Any]:
        xml_id = str(option.get("XML_ID") or f"{self.next_option:032x}")
        if any(row["XML_ID"] == xml_id for row in taken):
            raise RestError("ERROR_CORE", f"List item with XML_ID={xml_id} already exists.")
        made = {
            "ID": str(self.next_option),
            "SORT": _sort(option.get("SORT"), 0),
            "VALUE": str(option["VALUE"]),
            "DEF": str(option.get("DEF") or "N"),
            "XML_ID": xml_id,
        }
        self.next_option += 2
        return made


def _sort(value: Any, default: int) -> str:
    return str(as_int(value) or default)


def label(value: Any) -> str:
    """A label is one text for all languages or a map of languages."""
    if isinstance(value, dict):
        words = as_map(value)
        return str(words.get("ru") or words.get("en") or "")
    return str(value or "")
