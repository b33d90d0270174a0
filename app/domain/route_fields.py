"""The fields that a route writes, in the form the portal takes them. Used by the planning modules."""

from collections.abc import Mapping
from typing import Any

from app.domain.difference import enumeration_id
from app.domain.ruleset import FieldValue
from app.domain.snapshot import Entity, PortalDictionary

_CUSTOM = "UF_"


def wanted_fields(dictionary: PortalDictionary, entity: Entity, fields: Mapping[str, FieldValue]) -> dict[str, Any]:
    """Codes as ids of list items, boxes as Y and N; a custom field or an item that does not exist is left out."""
    wanted: dict[str, Any] = {}
    for name, value in fields.items():
        if name.startswith(_CUSTOM) and (entity, name) not in dictionary.fields:
            continue
        written = _written(dictionary, entity, name, value)
        if written is not None:
            wanted[name] = written
    return wanted


def _written(dictionary: PortalDictionary, entity: Entity, name: str, value: FieldValue) -> Any:
    if (entity, name) in dictionary.enumerations:
        return enumeration_id(dictionary, entity, name, str(value))
    if isinstance(value, bool):
        return "Y" if value else "N"
    return value
