"""Product rows of a card as facts: which catalog product each is, and which sections it lies in.

Called by fetch and duplicates. The catalog is asked only when the ruleset lists sections or products, since any row
from it is in the nomenclature otherwise (design section 4). What it does not tell stays None: not read, unknown.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.facts import Row
from app.domain.ruleset import Nomenclature
from app.domain.snapshot import Entity
from app.pipeline.catalog import Catalog
from app.pipeline.reads import REFUSALS, every_row, number

OWNER_CODES: Final[Mapping[Entity, str]] = {Entity.LEAD: "L", Entity.DEAL: "D"}
_VARIATIONS: Final = frozenset({4, 5})
"""Row types of trade offers (api-reference/crm/data-types#crm_item_product_row)."""


async def read_raw_rows(
    client: PortalClient, entity: Entity, item_id: int, *, lane: Lane = Lane.NORMAL
) -> tuple[Mapping[str, Any], ...]:
    """A card's rows as the portal prints them (api-reference/crm/universal/product-rows/crm-item-productrow-list)."""
    params = {"filter": {"=ownerType": OWNER_CODES[entity], "=ownerId": item_id}}
    found = await every_row(client, "crm.item.productrow.list", params, lane=lane, key="productRows")
    return tuple(sorted(found, key=lambda row: (number(row.get("sort")), number(row.get("id")))))


async def read_rows(
    catalog: Catalog, entity: Entity, item_id: int, *, nomenclature: Nomenclature, lane: Lane = Lane.NORMAL
) -> tuple[Row, ...] | None:
    """A card's rows with what the nomenclature needs to know of them; None when the portal refuses them."""
    try:
        raw = await read_raw_rows(catalog.client, entity, item_id, lane=lane)
    except REFUSALS:
        return None
    found = [Row(number(row.get("productId")), str(row.get("productName") or ""), None) for row in raw]
    if not (nomenclature.sections or nomenclature.products):
        return tuple(found)
    variations = {number(row.get("productId")) for row in raw if number(row.get("type")) in _VARIATIONS}
    open_ids = {row.product_id for row in found} - {0, *nomenclature.products}
    products = {key: key for key in open_ids} | await catalog.products_of(variations & open_ids, lane=lane)
    paths = await catalog.paths_of(products.values(), lane=lane) if nomenclature.sections else {}
    return tuple(
        replace(row, product_id=products[row.product_id], section_ids=paths.get(products[row.product_id]))
        if row.product_id in products
        else row
        for row in found
    )
