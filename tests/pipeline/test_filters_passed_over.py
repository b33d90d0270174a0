"""A portal that passes over a filter it does not understand and lists everything (bitrix24.md, 8.7)."""

import json

import httpx
import pytest

from app.bitrix24.client import PortalClient
from app.domain.snapshot import NO_LINKS, LeadSnapshot
from app.pipeline.duplicates import fetch_links

pytestmark = pytest.mark.anyio

EVERY_DEAL = [
    {"id": 5, "leadId": 99, "originatorId": None, "originId": None},
    {"id": 6, "leadId": None, "originatorId": "ogon", "originId": "lead-99"},
    {"id": 8, "leadId": "7", "originatorId": "", "originId": ""},
    {"id": 9, "leadId": 0, "originatorId": "ogon", "originId": "lead-7"},
]


def answer(request):
    def of(method):
        return {"productRows": []} if method == "crm.item.productrow.list" else {"items": EVERY_DEAL}

    method = request.url.path.rsplit("/", 1)[-1].removesuffix(".json")
    if method != "batch":
        return httpx.Response(200, json={"result": of(method), "time": {}})
    commands = json.loads(request.content)["cmd"]
    result = {key: of(command.partition("?")[0]) for key, command in commands.items()}
    return httpx.Response(200, json={"result": {"result": result, "result_error": []}, "time": {}})


@pytest.mark.parametrize(("lead", "deals"), [(7, (8, 9)), (99, (5, 6)), (1, ())])
async def test_another_leads_deal_is_never_taken_for_this_leads(lead, deals):
    snapshot = LeadSnapshot(lead={"id": lead, "companyId": 0})
    async with PortalClient("https://portal.example/rest/1/code/", transport=httpx.MockTransport(answer)) as client:
        found = await fetch_links(client, snapshot)
    assert found.deal_ids == deals
    assert found == NO_LINKS or deals
