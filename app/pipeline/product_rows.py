"""Product rows of a card as facts: which catalog product each is, and which sections it lies in.

Called by fetch and duplicates. The catalog is asked only when the ruleset lists sections or products, since any row
from it is in the nomenclature otherwise (design section 4). What it does not tell stays None: not read, unknown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.domain.facts import Row
from app.domain.ruleset import Nomenclature
from app.domain.snapshot import Entity
from app.pipeline.reads import REFUSALS, every_row, mapping, number, optional, together

OWNER_CODES: Final[Mapping[Entity, str]] = {Entity.LEAD: "L", Entity.DEAL: "D"}
_VARIATIONS: Final = frozenset({4, 5})
"""Row types of trade offers (api-reference/crm/data-types#crm_item_product_row)."""
_DEEPEST: Final = 10
"""Levels of sections we climb: more is a loop."""


async def read_raw_rows(
    client: PortalClient, entity: Entity, item_id: int, *, lane: Lane = Lane.NORMAL
) -> tuple[Mapping[str, Any], ...]:
    """A card's rows as the portal prints them (api-reference/crm/universal/product-rows/crm-item-productrow-list)."""
    params = {"filter": {"=ownerType": OWNER_CODES[entity], "=ownerId": item_id}}
    found = await every_row(client, "crm.item.productrow.list", params, lane=lane, key="productRows")
    return tuple(sorted(found, key=lambda row: (number(row.get("sort")), number(row.get("id")))))


async def read_rows(
    client: PortalClient, entity: Entity, item_id: int, *, nomenclature: Nomenclature, lane: Lane = Lane.NORMAL
) -> tuple[Row, ...] | None:
    """A card's rows with what the nomenclature needs to know of them; None when the portal refuses them."""
    try:
        raw = await read_raw_rows(client, entity, item_id, lane=lane)
    except REFUSALS:
        return None
    found = [Row(number(row.get("productId")), str(row.get("productName") or ""), None) for row in raw]
    if not (nomenclature.sections or nomenclature.products):
        return tuple(found)
    variations = {number(row.get("productId")) for row in raw if number(row.get("type")) in _VARIATIONS}
    open_ids = {row.product_id for row in found} - {0, *nomenclature.products}
    shelf = _Shelf(client, lane)
    products = {key: key for key in open_ids} | await shelf.products_of(variations & open_ids)
    paths = await shelf.paths_of(set(products.values())) if nomenclature.sections else {}
    return tuple(
        replace(row, product_id=products[row.product_id], section_ids=paths.get(products[row.product_id]))
        if row.product_id in products
        else row
        for row in found
    )


class _Shelf:
    """Where products stand in the catalog (api-reference/catalog). Whatever is refused is left out of the answer."""

    def __init__(self, client: PortalClient, lane: Lane) -> None:
        self._client = client
        self._lane = lane

    async def products_of(self, variations: Iterable[int]) -> dict[int, int]:
        """The product of each variation: rows name the variation, rulesets the product."""
        offers = await self._get_each("catalog.product.offer.get", variations, "offer")
        parents = {key: offer.get("parentId") for key, offer in offers.items()}
        # A property prints as {"value": "1275", "valueId": "9867"}.
        found = {key: number(mapping(parent).get("value") or parent) for key, parent in parents.items()}
        return {key: product for key, product in found.items() if product}

    async def paths_of(self, products: Iterable[int]) -> dict[int, tuple[int, ...]]:
        """The section of each product and those above it, from the inside out; empty at the root."""
        cards = await self._get_each("catalog.product.get", products, "product")
        sections = {key: number(card.get("iblockSectionId")) for key, card in cards.items()}
        above = await self._above(set(sections.values()))
        paths = {key: _path(section, above) for key, section in sections.items()}
        return {key: path for key, path in paths.items() if path is not None}

    async def _above(self, sections: set[int]) -> dict[int, int]:
        """The section above each, level by level."""
        above: dict[int, int] = {}
        wanted = sections - {0}
        for _ in range(_DEEPEST):
            if not wanted:
                break
            level = await self._get_each("catalog.section.get", wanted, "section")
            above |= {key: number(section.get("iblockSectionId")) for key, section in level.items()}
            wanted = {above[key] for key in level} - {0, *above}
        return above

    async def _get_each(self, method: str, ids: Iterable[int], key: str) -> dict[int, Mapping[str, Any]]:
        async with together() as group:
            asked = {
                item_id: group.create_task(optional(self._client.call(method, {"id": item_id}, lane=self._lane)))
                for item_id in sorted(ids)
            }
        found = {item_id: mapping(mapping(task.result()).get(key)) for item_id, task in asked.items()}
        return {item_id: answer for item_id, answer in found.items() if answer}


def _path(section: int, above: Mapping[int, int]) -> tuple[int, ...] | None:
    """None when the way up is not known to the end."""
    path: list[int] = []
    while section:
        if section not in above or section in path:
            return None
        path.append(section)
        section = above[section]
    return tuple(path)
