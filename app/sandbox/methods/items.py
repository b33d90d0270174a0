"""`crm.item.*`: get, list, add, update, delete, fields (docs: crm/universal)."""

from typing import Any

from app.sandbox import saving
from app.sandbox.errors import FieldError, RequiredError, RestError
from app.sandbox.fields import Field
from app.sandbox.filters import FieldFinder, compile_filter, compile_order
from app.sandbox.methods.base import Call, Method, Reply
from app.sandbox.methods.listing import find_page
from app.sandbox.rendering import item_part, item_view
from app.sandbox.state.store import Item
from app.sandbox.wire import Params, as_list


def original(params: Params) -> bool:
    return str(params.get("useOriginalUfNames", "N")) in {"Y", "1", "True", "true"}


def get(call: Call) -> Reply:
    entity_type_id = _type(call)
    item = _existing(call, entity_type_id)
    return Reply({"item": item_view(call.world, entity_type_id, item, original_names=original(call.params))})


def list_(call: Call) -> Reply:
    world, params = call.world, call.params
    entity_type_id = _type(call)
    raw_filter = params.get("filter")
    find = _item_field(call, entity_type_id)
    test = compile_filter(raw_filter, find, world.time, strict=True, nested=True)
    order = compile_order(params.get("order"), find, strict=True)
    items, total, following = find_page(
        world.stores[entity_type_id],
        find=find,
        raw_filter=raw_filter,
        test=test,
        order=order,
        start=params.get("start"),
    )
    return Reply({"items": _views(call, entity_type_id, items)}, total, following)


def add(call: Call) -> Reply:
    world = call.world
    entity_type_id = _type(call)
    sent = call.fields()
    try:
        values = saving.read_values(world, entity_type_id, sent)
        item_id = saving.add(world, entity_type_id, values, user_id=call.user_id, fm=sent.get("fm"))
    except (FieldError, RequiredError) as error:
        raise _refusal(error) from error
    return _saved(call, entity_type_id, item_id)


def update(call: Call) -> Reply:
    world = call.world
    entity_type_id = _type(call)
    item = _existing(call, entity_type_id)
    sent = call.fields()
    try:
        values = saving.read_values(world, entity_type_id, sent)
        saving.update(world, entity_type_id, item["id"], values, user_id=call.user_id, fm=sent.get("fm"))
    except (FieldError, RequiredError) as error:
        raise _refusal(error) from error
    return _saved(call, entity_type_id, item["id"])


def delete(call: Call) -> Reply:
    entity_type_id = _type(call)
    saving.delete(call.world, entity_type_id, _existing(call, entity_type_id)["id"])
    return Reply([])


def fields(call: Call) -> Reply:
    entity_type_id = _type(call)
    world = call.world
    keep = original(call.params)
    found = world.fields(entity_type_id)
    described: dict[str, Any] = {}
    for field in found.fields:
        if field.in_item:
            name = field.name if keep or not field.dynamic else found.camel[field.name]
            described[name] = describe(call, entity_type_id, field)
    return Reply({"fields": described})


def describe(call: Call, entity_type_id: int, field: Field) -> dict[str, Any]:
    """One field in the shape of `crm_rest_field_description`."""
    required = call.world.mandatory.get(entity_type_id, {})
    row: dict[str, Any] = {
        "type": field.type,
        "isRequired": required.get(field.name, set()) is None,
        "isReadOnly": field.read_only,
        "isImmutable": False,
        "isMultiple": field.multiple,
        "isDynamic": field.dynamic,
        "title": field.title,
    }
    if field.name == "stageId":
        category = call.world.dictionaries.default_pipeline(entity_type_id)
        row["statusType"] = call.world.dictionaries.stage_list(entity_type_id, category)
    elif field.status_type:
        row["statusType"] = field.status_type
    if field.type == "enumeration":
        uf = next(r for r in call.world.userfields.of(entity_type_id).values() if r["FIELD_NAME"] == field.name)
        row["items"] = [{"ID": option["ID"], "VALUE": option["VALUE"]} for option in uf["LIST"]]
    row["upperName"] = field.upper
    return row


def _type(call: Call) -> int:
    return call.world.kind(call.number("entityTypeId")).id


def _existing(call: Call, entity_type_id: int) -> Item:
    item = call.world.stores[entity_type_id].rows.get(call.number("id"))
    if item is None:
        raise RestError("NOT_FOUND", "Элемент не найден")
    return item


def _saved(call: Call, entity_type_id: int, item_id: int) -> Reply:
    item = call.world.stores[entity_type_id].rows[item_id]
    return Reply({"item": item_view(call.world, entity_type_id, item, original_names=original(call.params))})


def _item_field(call: Call, entity_type_id: int) -> FieldFinder:
    """Filterable fields: those this family has."""
    find = call.world.fields(entity_type_id).find

    def found(name: str) -> Field | None:
        field = find(name)
        return field if field is not None and field.in_item else None

    return found


def _views(call: Call, entity_type_id: int, items: list[Item]) -> list[Item]:
    """`fm` comes only with `*`; unknown names in `select` are left out."""
    keep = original(call.params)
    select = [str(name) for name in as_list(call.params.get("select"))]
    if not select or "*" in select:
        fm = "*" in select
        return [item_view(call.world, entity_type_id, one, original_names=keep, fm=fm) for one in items]
    fields = call.world.fields(entity_type_id)
    names: dict[str, str] = {}
    for name in select:
        field = fields.find(name)
        if field is not None and field.in_item:
            names[field.name] = fields.camel[field.name] if field.dynamic and not keep else field.name
    return [item_part(call.world, entity_type_id, one, names) for one in items]


def _refusal(error: FieldError | RequiredError) -> RestError:
    match error:
        case RequiredError(fields=names):
            listed = ", ".join(names)
            return RestError("CRM_FIELD_ERROR_REQUIRED", f"Не заполнено обязательное поле «{listed}»")
        case FieldError(scalar_type=kind) if kind is not None:
            return RestError(100, f"Expected iterable value for multiple field, but got {kind} instead")
        case _:
            return RestError("CRM_FIELD_ERROR_VALUE_NOT_VALID", f"Недопустимое значение поля «{error.args[0]}»")


METHODS = {
    "crm.item.get": Method(get, "crm"),
    "crm.item.list": Method(list_, "crm"),
    "crm.item.add": Method(add, "crm"),
    "crm.item.update": Method(update, "crm"),
    "crm.item.delete": Method(delete, "crm"),
    "crm.item.fields": Method(fields, "crm"),
}
