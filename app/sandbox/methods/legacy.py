"""The older families `crm.lead.*`, `crm.deal.*`, `crm.contact.*`, `crm.company.*`, `crm.quote.*`.

Strings, upper case, errors as text with an empty code; a typo in a filter is dropped, a stage of another
pipeline is ignored (docs: crm/leads, crm/deals/crm-deal-update).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from app.sandbox import multifields, saving
from app.sandbox.errors import FieldError, RequiredError, RestError
from app.sandbox.fields import Field
from app.sandbox.filters import compile_filter, compile_order
from app.sandbox.methods.base import Call, Method, Reply
from app.sandbox.methods.items import describe
from app.sandbox.methods.listing import find_page
from app.sandbox.rendering import legacy_value, legacy_view
from app.sandbox.schema import DEAL, OBJECT_TYPES
from app.sandbox.state.store import Item
from app.sandbox.wire import Params, as_list, as_map
from app.sandbox.world import World


def get(entity_type_id: int, call: Call) -> Reply:
    item = _existing(entity_type_id, call)
    return Reply(legacy_view(call.world, entity_type_id, item, listed=False))


def list_(entity_type_id: int, call: Call) -> Reply:
    world, params = call.world, call.legacy()
    for name in ("order", "filter"):
        if isinstance(params.get(name), (str, int, float)) and params[name] != "":
            raise RestError("", f"Parameter '{name}' must be array.")
    find = world.fields(entity_type_id).by_upper.get
    raw_filter = params.get("filter")
    test = compile_filter(raw_filter, find, world.time, strict=False, nested=False)
    test = _with_multifields(world, entity_type_id, raw_filter, test)
    order = compile_order(params.get("order"), find, strict=False)
    items, total, following = find_page(
        world.stores[entity_type_id],
        find=find,
        raw_filter=raw_filter,
        test=test,
        order=order,
        start=params.get("start"),
    )
    select = [str(name) for name in as_list(params.get("select"))]
    return Reply([_row(world, entity_type_id, one, select) for one in items], total, following)


def add(entity_type_id: int, call: Call) -> Reply:
    world = call.world
    sent = _sent_fields(call)
    try:
        values = saving.read_values(world, entity_type_id, _known(world, entity_type_id, sent))
        _drop_foreign_stage(world, entity_type_id, {}, values)
        fm = multifields.legacy_entries(sent)
        return Reply(saving.add(world, entity_type_id, values, user_id=call.user_id, fm=fm))
    except (FieldError, RequiredError) as error:
        raise _refusal(error) from error


def update(entity_type_id: int, call: Call) -> Reply:
    """Saves even when nothing differs; never moves a deal to another pipeline."""
    world = call.world
    item = _existing(entity_type_id, call)
    sent = _sent_fields(call)
    try:
        values = saving.read_values(world, entity_type_id, _known(world, entity_type_id, sent))
        values.pop("categoryId", None)
        _drop_foreign_stage(world, entity_type_id, item, values)
        fm = multifields.legacy_entries(sent)
        saving.update(world, entity_type_id, item["id"], values, user_id=call.user_id, fm=fm, always=True)
    except (FieldError, RequiredError) as error:
        raise _refusal(error) from error
    return Reply(True)


def delete(entity_type_id: int, call: Call) -> Reply:
    saving.delete(call.world, entity_type_id, _existing(entity_type_id, call)["id"])
    return Reply(True)


def fields(entity_type_id: int, call: Call) -> Reply:
    described: dict[str, Any] = {}
    for field in call.world.fields(entity_type_id).fields:
        if field.in_legacy:
            row = describe(call, entity_type_id, field)
            row.pop("upperName")
            described[field.upper] = row
    return Reply(described)


def contact_items(entity_type_id: int, call: Call) -> Reply:
    """`crm.{lead,deal}.contact.items.get`."""
    item = _existing(entity_type_id, call)
    ids: list[int] = item.get("contactIds", [])
    return Reply(
        [
            {"CONTACT_ID": one, "SORT": 10 * (n + 1), "ROLE_ID": 0, "IS_PRIMARY": "N" if n else "Y"}
            for n, one in enumerate(ids)
        ]
    )


def _existing(entity_type_id: int, call: Call) -> Item:
    item = call.world.stores[entity_type_id].rows.get(call.legacy_id())
    if item is None:
        raise RestError("", "Not found")
    return item


def _sent_fields(call: Call) -> Params:
    sent: Any = call.legacy().get("fields")
    if not isinstance(sent, (dict, list)):
        raise RestError("", "Parameter 'fields' must be array.")
    return as_map(call.legacy()["fields"])


def _known(world: World, entity_type_id: int, sent: Params) -> Params:
    """Only upper-case names count here; an empty value for a list clears it."""
    by_upper = world.fields(entity_type_id).by_upper
    known: Params = {}
    for name, value in sent.items():
        field = by_upper.get(name)
        if field is not None:
            known[field.name] = as_list(value) if field.multiple else value
    return known


def _drop_foreign_stage(world: World, entity_type_id: int, item: Item, values: Item) -> None:
    """A stage that the card's pipeline does not have changes nothing and raises no error."""
    if "stageId" not in values:
        return
    category = item.get("categoryId", values.get("categoryId")) or 0
    if world.dictionaries.stage(entity_type_id, category, values["stageId"]) is None:
        del values["stageId"]


def _row(world: World, entity_type_id: int, item: Item, select: list[str]) -> Item:
    fields = world.fields(entity_type_id)
    if not select:
        select = ["*", "UF_*"] if entity_type_id == DEAL else ["*"]
    names: list[Field] = []
    if "*" in select:
        names += [one for one in fields.fields if one.in_legacy and not one.dynamic]
    if "UF_*" in select:
        names += fields.custom
    names += [fields.by_upper[name] for name in select if name in fields.by_upper]
    row = {
        field.upper: legacy_value(field, item.get(field.name, field.empty), listed=True)
        for field in names
        if field.in_legacy
    }
    row.setdefault("ID", str(item["id"]))
    for type_id in multifields.TYPES:
        if type_id in select and OBJECT_TYPES[entity_type_id].has_phones:
            row[type_id] = multifields.legacy_rows(item.get("fm", []), type_id)
    return row


def _with_multifields(
    world: World, entity_type_id: int, raw_filter: Any, test: Callable[[Item], bool]
) -> Callable[[Item], bool]:
    """PHONE and EMAIL are found by exact match only (docs: crm/contacts/crm-contact-list)."""
    if not OBJECT_TYPES[entity_type_id].has_phones:
        return test
    wanted = {
        type_id: {str(one) for one in as_list(value)}
        for key, value in as_map(raw_filter).items()
        if (type_id := str(key).lstrip("=@")) in multifields.TYPES
    }
    if not wanted:
        return test

    def both(item: Item) -> bool:
        rows: list[Item] = item.get("fm", [])
        return test(item) and all(
            any(row["typeId"] == type_id and row["value"] in values for row in rows)
            for type_id, values in wanted.items()
        )

    return both


def _refusal(error: FieldError | RequiredError) -> RestError:
    names = error.fields if isinstance(error, RequiredError) else [error.field]
    word = "Не заполнено обязательное поле" if isinstance(error, RequiredError) else "Неверное значение поля"
    return RestError("", "<br>".join(f"{word} «{name}»" for name in names))


def _family(entity_type_id: int, segment: str) -> dict[str, Method]:
    handlers = {"get": get, "list": list_, "add": add, "update": update, "delete": delete, "fields": fields}
    made = {f"crm.{segment}.{verb}": Method(partial(run, entity_type_id), "crm") for verb, run in handlers.items()}
    if segment in {"lead", "deal"}:
        made[f"crm.{segment}.contact.items.get"] = Method(partial(contact_items, entity_type_id), "crm")
    return made


METHODS: dict[str, Method] = {
    name: method
    for kind in OBJECT_TYPES.values()
    if kind.segment
    for name, method in _family(kind.id, kind.segment).items()
}
