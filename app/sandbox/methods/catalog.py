"""`catalog.*`: catalogues, products, sections (docs: catalog/product/catalog-product-list)."""

from typing import Any

from app.sandbox.errors import RestError
from app.sandbox.methods.base import Call, Method, Reply, page
from app.sandbox.state.catalog import IBLOCK_ID
from app.sandbox.tables import Columns
from app.sandbox.wire import as_list, as_map

_PRODUCT = Columns(
    ("name", "active", "available", "code", "xmlId", "purchasingCurrency"),
    numbers=("id", "iblockId", "iblockSectionId", "sort", "type", "purchasingPrice"),
)
_SECTION = Columns(("name", "active", "code", "xmlId"), numbers=("id", "iblockId", "iblockSectionId", "sort"))


def catalog_list(call: Call) -> Reply:
    del call
    row: dict[str, Any] = {
        "iblockId": IBLOCK_ID,
        "iblockTypeId": "CRM_PRODUCT_CATALOG",
        "id": IBLOCK_ID,
        "lid": "s1",
        "name": "Товарный каталог CRM",
        "productIblockId": None,
        "skuPropertyId": None,
        "subscription": "N",
        "vatId": 1,
    }
    return Reply({"catalogs": [row]}, 1)


def product_list(call: Call) -> Reply:
    select = [str(name) for name in as_list(call.params.get("select"))]
    if "*" not in select and not {"id", "iblockId"} <= set(select):
        raise RestError(0, "Required select fields: id, iblockId")
    _need_iblock(call)
    test = _PRODUCT.filter(call.params.get("filter"), call.world.time, strict=False)
    rows = [row for row in call.world.catalog.products.values() if test(row)]
    rows = _PRODUCT.sort(rows, call.params.get("order"), strict=False, default=("id", False))
    shown, total, following = page(rows, call.params.get("start"))
    return Reply({"products": [_chosen(row, select) for row in shown]}, total, following)


def section_list(call: Call) -> Reply:
    _need_iblock(call)
    test = _SECTION.filter(call.params.get("filter"), call.world.time, strict=False)
    rows = [row for row in call.world.catalog.section_rows() if test(row)]
    rows = _SECTION.sort(rows, call.params.get("order"), strict=False, default=("id", False))
    select = [str(name) for name in as_list(call.params.get("select"))]
    shown, total, following = page(rows, call.params.get("start"))
    return Reply({"sections": [_chosen(row, select) for row in shown]}, total, following)


def _need_iblock(call: Call) -> None:
    names = {key.lstrip("=@") for key in as_map(call.params.get("filter"))}
    if "iblockId" not in names:
        raise RestError(0, "Required filter fields: iblockId")


def _chosen(row: dict[str, Any], select: list[str]) -> dict[str, Any]:
    if not select or "*" in select:
        return row
    return {name: row.get(name) for name in select}


METHODS = {
    "catalog.catalog.list": Method(catalog_list, "catalog"),
    "catalog.product.list": Method(product_list, "catalog"),
    "catalog.section.list": Method(section_list, "catalog"),
}
