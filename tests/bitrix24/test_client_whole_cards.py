"""Lists that print less than `crm.item.get` are found out by the fields a card is known to have."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from app.bitrix24.client import PortalClient

pytestmark = pytest.mark.anyio

STEAM = "UF_CRM_OGON_STEAM_TPH"


class ThinLists:
    """A portal whose lists leave custom fields out; `in_get` False: the field is gone altogether."""

    def __init__(self, *, in_get: bool = True) -> None:
        self.in_get = in_get
        self.methods: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        method = request.url.path.rsplit("/", 1)[-1].removesuffix(".json")
        params: dict[str, Any] = json.loads(request.content)
        if method != "batch":
            return httpx.Response(200, json={"result": self.answer(method, params), "time": {}})
        results = {}
        for key, command in params["cmd"].items():
            parts = urlsplit(command)
            query = parse_qs(parts.query)
            ids = [int(v[0]) for name, v in query.items() if name == "id" or name.startswith("filter[")]
            results[key] = self.answer(parts.path, {"id": ids[0], "filter": {"@id": ids}})
        return httpx.Response(200, json={"result": {"result": results, "result_error": []}, "time": {}})

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        self.methods.append(method)
        if method == "crm.item.get":
            return {"item": {"id": int(params["id"]), "title": "t", **({STEAM: 5} if self.in_get else {})}}
        return {"items": [{"id": int(one), "title": "t"} for one in params["filter"]["@id"]]}


async def _load(portal: ThinLists, ids: range) -> list[dict[str, Any]]:
    async with PortalClient("https://p.example/rest/1/code/", transport=httpx.MockTransport(portal)) as client:
        client.expect(1, frozenset({STEAM}))
        first = await asyncio.gather(*(client.load(1, one) for one in ids))
        return first + await asyncio.gather(*(client.load(1, one) for one in ids))


async def test_a_thin_page_is_read_again_card_by_card_and_not_asked_for_any_more() -> None:
    portal = ThinLists()
    cards = await _load(portal, range(1, 61))
    assert [card[STEAM] for card in cards] == [5] * 120
    assert portal.methods.count("crm.item.list") <= 2


async def test_a_field_that_is_gone_from_the_portal_does_not_spoil_its_lists() -> None:
    portal = ThinLists(in_get=False)
    cards = await _load(portal, range(1, 61))
    assert [card["id"] for card in cards] == [*range(1, 61)] * 2
    # Two pages may find the gap at once; after that nobody asks again.
    assert portal.methods.count("crm.item.get") <= 2
