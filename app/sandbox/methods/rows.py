"""Product rows: `crm.item.productrow.*` and the older `crm.*.productrows.*` (docs: crm/universal/product-rows).

Also called by `SandboxPortal.ui_set_rows`.
"""

from functools import partial
from typing import Any

from app.sandbox import saving
from app.sandbox.errors import RestError
from app.sandbox.fields import number
from app.sandbox.methods.base import Call, Method, Reply, page
from app.sandbox.schema import OBJECT_TYPES
from app.sandbox.state.timeline import Row
from app.sandbox.wire import as_int, as_list, as_map
from app.sandbox.world import World

_OWNERS = {kind.code: kind.id for kind in OBJECT_TYPES.values() if kind.has_rows}
_CATALOG_TYPE, _FREE_TYPE = 4, 1


def list_(call: Call) -> Reply:
    conditions = {key.lstrip("="): value for key, value in as_map(call.params.get("filter")).items()}
    if "ownerType" not in conditions or "ownerId" not in conditions:
        raise RestError(100, "Could not find value for parameter {filter}")
    code = str(conditions["ownerType"])
    if code not in _OWNERS:
        raise RestError("INVALID_ARG_VALUE", "Invalid value {ownerType}")
    found: list[Row] = []
    for owner in as_list(conditions["ownerId"]):
        found += call.world.product_rows.rows.get((code, as_int(owner) or 0), [])
    rows, total, following = page(found, call.params.get("start"))
    return Reply({"productRows": rows}, total, following)


def set_(call: Call) -> Reply:
    if "productRows" not in call.params:
        raise RestError(100, "Could not find value for parameter {productRows}")
    code, owner_id = _owner(call.world, call.params.get("ownerType"), call.params.get("ownerId"))
    rows = replace(call.world, code, owner_id, as_list(call.params["productRows"]))
    saving.recount(call.world, _OWNERS[code], owner_id, user_id=call.user_id)
    return Reply({"productRows": rows})


def add(call: Call) -> Reply:
    fields = call.fields()
    code, owner_id = _owner(call.world, fields.get("ownerType"), fields.get("ownerId"))
    row = _row(call.world, code, owner_id, fields)
    call.world.product_rows.rows.setdefault((code, owner_id), []).append(row)
    saving.recount(call.world, _OWNERS[code], owner_id, user_id=call.user_id)
    return Reply({"productRow": row})


def replace(world: World, code: str, owner_id: int, sent: list[Any]) -> list[Row]:
    """Overwrite all rows of a card with these."""
    rows = [_row(world, code, owner_id, as_map(one)) for one in sent]
    world.product_rows.rows[code, owner_id] = rows
    return rows


def legacy_get(entity_type_id: int, call: Call) -> Reply:
    kind = OBJECT_TYPES[entity_type_id]
    item_id = call.legacy_id()
    if item_id not in call.world.stores[entity_type_id].rows:
        raise RestError("", "Not found")
    return Reply([_legacy_row(row) for row in call.world.product_rows.rows.get((kind.code, item_id), [])])


def legacy_set(entity_type_id: int, call: Call) -> Reply:
    kind = OBJECT_TYPES[entity_type_id]
    item_id = call.legacy_id()
    if item_id not in call.world.stores[entity_type_id].rows:
        raise RestError("", "Not found")
    names = {"PRODUCT_ID": "productId", "PRODUCT_NAME": "productName", "PRICE": "price", "QUANTITY": "quantity"}
    sent = [
        {names[key]: value for key, value in as_map(one).items() if key in names}
        for one in as_list(call.legacy().get("rows"))
    ]
    replace(call.world, kind.code, item_id, sent)
    saving.recount(call.world, entity_type_id, item_id, user_id=call.user_id)
    return Reply(True)


def _owner(world: World, code: Any, owner_id: Any) -> tuple[str, int]:
    found = as_int(owner_id)
    if code is None or found is None:
        raise RestError(100, "Could not find value for parameter {ownerType}")
    if str(code) not in _OWNERS:
        raise RestError("ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {code} is not supported")
    if found not in world.stores[_OWNERS[str(code)]].rows:
        raise RestError("OWNER_NOT_FOUND", "Owner was not found")
    return str(code), found


def _row(world: World, code: str, owner_id: int, sent: Row) -> Row:
    product_id = as_int(sent.get("productId")) or 0
    product = world.catalog.products.get(product_id)
    price = _number(sent, "price")
    quantity = _number(sent, "quantity") if sent.get("quantity") else 1
    rate = _number(sent, "taxRate")
    return {
        "id": world.product_rows.new_id(),
        "ownerId": owner_id,
        "ownerType": code,
        "productId": product_id,
        "productName": str(sent.get("productName") or (product["name"] if product else "")),
        "price": price,
        "priceAccount": price,
        "priceExclusive": number(round(price / (1 + rate / 100), 2)),
        "priceNetto": price,
        "priceBrutto": price,
        "quantity": quantity,
        "discountTypeId": as_int(sent.get("discountTypeId")) or 2,
        "discountRate": _number(sent, "discountRate"),
        "discountSum": _number(sent, "discountSum"),
        "taxRate": rate if sent.get("taxRate") not in (None, "") else None,
        "taxIncluded": str(sent.get("taxIncluded") or "N"),
        "customized": "Y",
        "measureCode": as_int(sent.get("measureCode")) or 796,
        "measureName": "шт",
        "sort": as_int(sent.get("sort")) or 10,
        "xmlId": "",
        "type": _CATALOG_TYPE if product else _FREE_TYPE,
        "storeId": None,
    }


def _number(sent: Row, name: str) -> int | float:
    try:
        return number(float(str(sent.get(name) or 0).replace(",", ".")))
    except (ValueError, OverflowError):
        raise RestError("INVALID_ARG_VALUE", f"Invalid value of {name}") from None


def _legacy_row(row: Row) -> Row:
    return {
        "ID": str(row["id"]),
        "OWNER_ID": str(row["ownerId"]),
        "OWNER_TYPE": row["ownerType"],
        "PRODUCT_ID": row["productId"],
        "PRODUCT_NAME": row["productName"],
        "PRICE": row["price"],
        "QUANTITY": row["quantity"],
        "MEASURE_CODE": row["measureCode"],
        "MEASURE_NAME": row["measureName"],
        "TAX_RATE": row["taxRate"],
        "TAX_INCLUDED": row["taxIncluded"],
        "SORT": row["sort"],
    }


METHODS: dict[str, Method] = {
    "crm.item.productrow.list": Method(list_, "crm"),
    "crm.item.productrow.set": Method(set_, "crm"),
    "crm.item.productrow.add": Method(add, "crm"),
}
for _kind in OBJECT_TYPES.values():
    if _kind.segment and _kind.has_rows:
        METHODS[f"crm.{_kind.segment}.productrows.get"] = Method(partial(legacy_get, _kind.id), "crm")
        METHODS[f"crm.{_kind.segment}.productrows.set"] = Method(partial(legacy_set, _kind.id), "crm")
