"""Whose contacts a card's are, on a portal that passes over the filter by binding."""

import json
from typing import Any

import httpx
import pytest

from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.pipeline.contacts import really_bound
from app.store.cards import CardKey

pytestmark = pytest.mark.anyio

LEAD, DEAL = CardKey(1, 1, 5), CardKey(1, 2, 9)
OTHER_DEAL, CONTACT = ("2", "77"), ("3", "4")


@pytest.mark.parametrize(
    ("owner", "bindings", "counts", "sure"),
    [
        (("2", "9"), None, True, True),
        (("1", "5"), None, True, True),
        (CONTACT, None, True, True),
        (OTHER_DEAL, [(2, 77)], False, True),
        (OTHER_DEAL, [(2, 77), (2, 9)], True, True),
        (OTHER_DEAL, None, False, False),
    ],
    ids=["own", "of the lead it came from", "of its contact", "a stranger's", "of both deals", "bindings refused"],
)
async def test_a_stranger_s_call_is_no_response(owner, bindings, counts, sure):
    def answer(request: httpx.Request) -> httpx.Response:
        params: dict[str, Any] = json.loads(request.content)
        assert request.url.path.endswith("/crm.activity.binding.list")
        assert params == {"activityId": 31}
        if bindings is None:
            return httpx.Response(403, json={"error": "ACCESS_DENIED", "error_description": "Access denied"})
        found = [{"entityTypeId": kind, "entityId": one} for kind, one in bindings]
        return httpx.Response(200, json={"result": found})

    row = {"ID": "31", "OWNER_TYPE_ID": owner[0], "OWNER_ID": owner[1], "PROVIDER_ID": "VOXIMPLANT_CALL"}
    async with PortalClient("https://p.example/rest/1/code/", transport=httpx.MockTransport(answer)) as client:
        told = await really_bound(client, [(DEAL, row)], [LEAD, DEAL], Lane.NORMAL)
    assert told == ([(DEAL, 31)] if counts else [], sure)
