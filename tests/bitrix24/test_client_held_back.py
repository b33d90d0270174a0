"""Slots held back for hot calls: left alone by a backlog, lent to its end while nobody hot is there."""

import asyncio

import pytest

from app.bitrix24.lanes import Lane

pytestmark = pytest.mark.anyio

HOT_WAIT = 0.077


def _update(client, one):
    return client.call("crm.item.update", {"entityTypeId": 1, "id": one, "fields": {"title": "x"}})


async def _hot_waits(client, ids):
    """One hot read after the other, so that each needs a slot of its own."""
    waits = []
    for one in ids:
        began = asyncio.get_running_loop().time()
        await client.load(1, one, lane=Lane.HOT)
        waits.append(asyncio.get_running_loop().time() - began)
    return waits


@pytest.fixture
async def backlog(portal, connect):
    portal.items = {one: {"id": one} for one in range(1, 11)}
    client = connect()
    return client, asyncio.gather(*(_update(client, one) for one in range(5000)))


async def test_the_end_of_a_backlog_takes_the_slots_nobody_hot_needs(portal, backlog):
    began = asyncio.get_running_loop().time()
    await backlog[1]
    floor = (100 - portal.burst) / portal.rate + 50 * portal.command_seconds
    assert asyncio.get_running_loop().time() - began <= floor * 1.1
    assert portal.limited == 0


@pytest.mark.parametrize("moment", [13.0, 18.2, 24.9])
async def test_a_backlog_under_way_leaves_them(portal, backlog, moment):
    client, updates = backlog
    await asyncio.sleep(moment)
    assert max(await _hot_waits(client, [1, 2, 3])) < HOT_WAIT
    await updates
    assert portal.limited == 0


async def test_its_end_leaves_them_too_after_a_hot_call(portal, backlog):
    client, updates = backlog
    await asyncio.sleep(22.0)
    await client.load(1, 9, lane=Lane.HOT)
    await updates
    assert max(await _hot_waits(client, [1, 2, 3])) < HOT_WAIT
    assert portal.limited == 0


async def test_one_slot_is_left_at_the_very_end(portal, backlog):
    client, updates = backlog
    await updates
    assert max(await _hot_waits(client, [1])) < HOT_WAIT
    assert portal.limited == 0
