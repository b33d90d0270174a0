"""A stored card as each API family prints it: numbers and camelCase, or strings and UPPER_CASE.

Called by the list and get methods. Docs: crm/universal/crm-item-get, crm/leads/crm-lead-get.
"""

from typing import Any

from app.sandbox import multifields
from app.sandbox.fields import Field
from app.sandbox.schema import COMPANY, OBJECT_TYPES
from app.sandbox.state.store import Item
from app.sandbox.world import World

_MONEY = {"OPPORTUNITY", "TAX_VALUE"}


def item_view(world: World, entity_type_id: int, item: Item, *, original_names: bool, fm: bool = True) -> Item:
    """The whole card as `crm.item.get` prints it."""
    fields = world.fields(entity_type_id)
    view = {**fields.template, **item}
    if entity_type_id == COMPANY:
        view["contactIds"] = list(world.company_contacts.get(item["id"], []))
    if not fm:
        view.pop("fm", None)
    view["entityTypeId"] = entity_type_id
    if not original_names:
        for name, camel in fields.camel.items():
            view[camel] = view.pop(name)
    return view


def item_part(world: World, entity_type_id: int, item: Item, names: dict[str, str]) -> Item:
    """Chosen fields of a card; `names` maps the stored name to the printed one."""
    template = world.fields(entity_type_id).template
    part = {printed: item.get(name, template.get(name)) for name, printed in names.items()}
    if entity_type_id == COMPANY and "contactIds" in names:
        part["contactIds"] = list(world.company_contacts.get(item["id"], []))
    return part


def legacy_view(world: World, entity_type_id: int, item: Item, *, listed: bool) -> Item:
    """The whole card as the legacy `get` prints it, multifields included unless `listed`."""
    view = {
        field.upper: legacy_value(field, item.get(field.name, field.empty), listed=listed)
        for field in world.fields(entity_type_id).fields
        if field.in_legacy
    }
    if not listed and OBJECT_TYPES[entity_type_id].has_phones:
        for type_id in multifields.TYPES:
            rows = multifields.legacy_rows(item.get("fm", []), type_id)
            if rows:
                view[type_id] = rows
    return view


def legacy_value(field: Field, value: Any, *, listed: bool = False) -> Any:
    """Everything is a string there; nothing is null, "", "0" or false, by field (docs: the get samples)."""
    if field.multiple:
        return [_legacy_single(field, one) for one in value] if value else False
    if value is None or value == "":
        return _legacy_nothing(field)
    if value == 0 and field.linked_number and field.type not in {"integer", "crm_category"}:
        return "0" if listed else None
    return _legacy_single(field, value)


def _legacy_nothing(field: Field) -> Any:
    if field.dynamic:
        return {"enumeration": "", "string": "", "boolean": "0"}.get(field.type)
    return "" if field.type in {"date", "datetime"} else None


def _legacy_single(field: Field, value: Any) -> Any:
    if field.dynamic and field.type == "boolean":
        return "1" if value == "Y" else "0"
    if field.upper in _MONEY:
        return f"{value:.2f}"
    return str(value)
