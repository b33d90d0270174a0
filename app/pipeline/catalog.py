"""Where products stand in a portal's catalog: a variation's product, a product's sections.

Called by product_rows. Remembers what it learned for as long as it lives, so one kept beside the dictionary and made
anew with it costs almost no commands. What the portal refuses is left out of the answers, never an error.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.pipeline.reads import every_row, mapping, number, optional, together

_DEEPEST: Final = 10
"""Levels of sections we climb: more is a loop."""


class Catalog:
    """The catalog of one portal (api-reference/catalog); scope `catalog`."""

    def __init__(self, client: PortalClient) -> None:
        self.client = client
        self._iblocks: tuple[frozenset[int], frozenset[int]] | None = None
        self._product_of: dict[int, int] = {}
        self._section_of: dict[int, int] = {}
        self._above: dict[int, int] = {}

    async def products_of(self, variations: Iterable[int], *, lane: Lane = Lane.NORMAL) -> dict[int, int]:
        """The product of each variation: rows name the variation, rulesets the product."""
        asked = set(variations)
        if unknown := asked - self._product_of.keys():
            _, iblocks = await self._catalogs(lane)
            for row in await self._rows("catalog.product.offer.list", "offers", iblocks, unknown, lane):
                # A property prints as {"value": "1275", "valueId": "9867"}.
                parent = row.get("parentId")
                product = number(mapping(parent).get("value") or parent)
                if product:
                    self._product_of[number(row.get("id"))] = product
        return {key: self._product_of[key] for key in asked if key in self._product_of}

    async def paths_of(self, products: Iterable[int], *, lane: Lane = Lane.NORMAL) -> dict[int, tuple[int, ...]]:
        """The section of each product and those above it, from the inside out; empty at the root."""
        asked = set(products)
        if unknown := asked - self._section_of.keys():
            iblocks, _ = await self._catalogs(lane)
            for row in await self._rows("catalog.product.list", "products", iblocks, unknown, lane):
                self._section_of[number(row.get("id"))] = number(row.get("iblockSectionId"))
        known = {key: self._section_of[key] for key in asked if key in self._section_of}
        await self._climb(set(known.values()), lane)
        paths = {key: _path(section, self._above) for key, section in known.items()}
        return {key: path for key, path in paths.items() if path is not None}

    async def _climb(self, sections: set[int], lane: Lane) -> None:
        """Learn the section above each, level by level."""
        for _ in range(_DEEPEST):
            sections = {_top(section, self._above) for section in sections} - {0}
            if not sections:
                return
            iblocks, _ = await self._catalogs(lane)
            learned = await self._rows("catalog.section.list", "sections", iblocks, sections, lane)
            self._above |= {number(row.get("id")): number(row.get("iblockSectionId")) for row in learned}
            if not learned:
                return

    async def _catalogs(self, lane: Lane) -> tuple[frozenset[int], frozenset[int]]:
        """Ids of the catalogs of products and of those of variations (api-reference/catalog/catalog)."""
        if self._iblocks is None:
            found = await optional(every_row(self.client, "catalog.catalog.list", {}, lane=lane, key="catalogs"))
            if found is None:
                return frozenset(), frozenset()
            offers = {number(row.get("iblockId")): number(row.get("productIblockId")) for row in found}
            products = {parent or iblock for iblock, parent in offers.items()}
            self._iblocks = frozenset(products), frozenset(iblock for iblock, parent in offers.items() if parent)
        return self._iblocks

    async def _rows(
        self, method: str, key: str, iblocks: Iterable[int], ids: set[int], lane: Lane
    ) -> list[Mapping[str, Any]]:
        """The rows with these ids. All three lists must be asked for one iblock, which must be in the filter."""
        field = "parentId" if key == "offers" else "iblockSectionId"
        params = {"select": ["id", "iblockId", field], "order": {"id": "ASC"}}
        wanted = {"@id" if key == "sections" else "id": sorted(ids)}
        async with together() as group:
            tasks = [
                group.create_task(
                    optional(
                        every_row(
                            self.client,
                            method,
                            {**params, "filter": {"iblockId": iblock, **wanted}},
                            lane=lane,
                            key=key,
                        )
                    )
                )
                for iblock in sorted(iblocks)
            ]
        return [row for task in tasks for row in task.result() or ()]


def _top(section: int, above: Mapping[int, int]) -> int:
    """The first section on the way up whose own parent is not known; 0 at the root or in a loop."""
    seen: set[int] = set()
    while section in above and section not in seen:
        seen.add(section)
        section = above[section]
    return 0 if section in seen else section


def _path(section: int, above: Mapping[int, int]) -> tuple[int, ...] | None:
    """None when the way up is not known to the end."""
    path: list[int] = []
    while section:
        if section not in above or section in path:
            return None
        path.append(section)
        section = above[section]
    return tuple(path)
