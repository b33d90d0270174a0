"""Several callers of one card: one request, and none of them suffers for another."""

import asyncio

import pytest

from app.bitrix24.errors import NotFound
from app.bitrix24.lanes import Lane

pytestmark = pytest.mark.anyio


@pytest.fixture
def cards(portal):
    portal.items = {one: {"id": one} for one in range(1, 11)}


@pytest.mark.parametrize("lanes", [(Lane.NORMAL, Lane.NORMAL), (Lane.BACKGROUND, Lane.HOT), (Lane.HOT, Lane.NORMAL)])
async def test_a_caller_who_gives_up_takes_nobody_along(portal, cards, connect, lanes):
    client = connect()
    first, second = (asyncio.ensure_future(client.load(1, 5, lane=lane)) for lane in lanes)
    await asyncio.sleep(0)
    first.cancel()
    assert await second == {"id": 5}
    assert first.cancelled()
    assert portal.requests == 1


async def test_a_card_everybody_gave_up_does_not_hold_up_the_others(portal, cards, connect):
    client = connect()
    given_up = [asyncio.ensure_future(client.load(1, 5)) for _ in range(2)]
    await asyncio.sleep(0)
    for one in given_up:
        one.cancel()
    assert await client.load(1, 6) == {"id": 6}
    assert await client.load(1, 5) == {"id": 5}


async def test_every_caller_gets_an_error_of_its_own(portal, cards, connect):
    client = connect()
    told = await asyncio.gather(*(client.load(1, 404) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [NotFound] * 3
    assert len({id(one) for one in told}) == 3
