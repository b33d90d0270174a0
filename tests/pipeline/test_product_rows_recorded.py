"""Variations, answered with bodies as the documentation prints them: rows name the variation, rulesets the product."""

import json

import httpx
import pytest

from app.bitrix24.client import PortalClient
from app.domain.facts import Row
from app.domain.ruleset import Nomenclature
from app.domain.snapshot import Entity
from app.pipeline.catalog import Catalog
from app.pipeline.product_rows import read_rows

pytestmark = pytest.mark.anyio

ANSWERS = {
    "crm.item.productrow.list": {
        "productRows": [
            {"id": 2, "productId": 1286, "productName": "Variation", "type": 4, "sort": 10},
            {"id": 1, "productId": 1243, "productName": "Product", "type": 1, "sort": 20},
        ]
    },
    "catalog.catalog.list": {
        "catalogs": [{"iblockId": 23, "productIblockId": None}, {"iblockId": 24, "productIblockId": 23}]
    },
    "catalog.product.offer.list": {
        "offers": [{"id": 1286, "iblockId": 24, "parentId": {"value": "1275", "valueId": "9867"}}]
    },
    "catalog.product.list": {
        "products": [
            {"id": 1243, "iblockId": 23, "iblockSectionId": 47},
            {"id": 1275, "iblockId": 23, "iblockSectionId": None},
        ]
    },
    "catalog.section.list": {"sections": [{"id": 47, "iblockId": 23, "iblockSectionId": None}]},
}


@pytest.fixture
def asked():
    return []


@pytest.fixture
async def catalog(asked):
    def answer(request):
        method = request.url.path.rsplit("/", 1)[-1].removesuffix(".json")
        sent = json.loads(request.content)
        if method != "batch":
            asked.append(method)
            return httpx.Response(200, json={"result": ANSWERS[method], "time": {}})
        methods = {key: command.partition("?")[0] for key, command in sent["cmd"].items()}
        asked.extend(methods.values())
        result = {key: ANSWERS[name] for key, name in methods.items()}
        return httpx.Response(200, json={"result": {"result": result, "result_error": []}, "time": {}})

    url = "https://portal.example/rest/1/code/"
    async with PortalClient(url, transport=httpx.MockTransport(answer)) as client:
        yield Catalog(client)


async def rows(catalog, nomenclature):
    return await read_rows(catalog, Entity.DEAL, 90, nomenclature=nomenclature)


async def test_a_variation_is_its_product(catalog):
    assert await rows(catalog, Nomenclature(sections=(47,))) == (
        Row(1275, "Variation", ()),
        Row(1243, "Product", (47,)),
    )


async def test_a_listed_variation_stays_itself(catalog, asked):
    found = await rows(catalog, Nomenclature(products=(1286,)))
    assert [row.product_id for row in found] == [1286, 1243]
    assert asked == ["crm.item.productrow.list"]


async def test_listed_products_need_no_sections(catalog, asked):
    found = await rows(catalog, Nomenclature(products=(1275,)))
    assert [row.product_id for row in found] == [1275, 1243]
    assert "catalog.product.list" not in asked


async def test_what_was_learned_is_not_asked_again(catalog, asked):
    first = await rows(catalog, Nomenclature(sections=(47,)))
    asked.clear()
    assert await rows(catalog, Nomenclature(sections=(47,))) == first
    assert asked == ["crm.item.productrow.list"]
