"""The product catalogue: one iblock with sections and products (docs: catalog/product/catalog-product-list)."""

from dataclasses import dataclass, field
from typing import Any

IBLOCK_ID = 24


@dataclass(slots=True)
class Catalog:
    sections: dict[int, str] = field(default_factory=dict[int, str])
    products: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    prices: dict[int, int] = field(default_factory=dict[int, int])

    def add(self, product_id: int, name: str, section_id: int, price: int) -> None:
        """Add a product; the price is in the base currency."""
        self.prices[product_id] = price
        self.products[product_id] = {
            "id": product_id,
            "iblockId": IBLOCK_ID,
            "iblockSectionId": section_id,
            "name": name,
            "active": "Y",
            "available": "Y",
            "code": f"product-{product_id}",
            "xmlId": str(product_id),
            "sort": 500,
            "type": 1,
            "measure": 5,
            "purchasingPrice": round(price * 0.8),
            "purchasingCurrency": "RUB",
            "quantity": 10,
            "vatIncluded": "Y",
        }

    def section_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "id": key,
                "iblockId": IBLOCK_ID,
                "iblockSectionId": None,
                "name": name,
                "active": "Y",
                "sort": 500,
                "xmlId": str(key),
                "code": f"section-{key}",
            }
            for key, name in self.sections.items()
        ]
