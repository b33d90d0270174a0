"""Who travels with whom: batches, lanes, the loader and the walk, in virtual time."""

import asyncio
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portal_model import URL, Portal, VirtualLoop

from app.bitrix24 import errors
from app.bitrix24.batcher import Pace
from app.bitrix24.client import PortalClient
from app.bitrix24.lanes import Lane
from app.bitrix24.walk import Walk

pytestmark = pytest.mark.anyio

UPDATE = {"entityTypeId": 1, "fields": {"title": "x"}}


def run(main):
    """One portal, one client, one virtual loop."""

    async def whole():
        loop, portal = asyncio.get_running_loop(), Portal()
        async with PortalClient(URL, transport=portal.transport(), clock=loop.time, wall=loop.time) as client:
            return await main(portal, client)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(whole())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 260))
def test_n_calls_come_back_in_order_from_the_fewest_requests(count):
    async def main(portal, client):
        portal.methods = {"crm.enum.fields": lambda params: int(params["n"])}
        told = await asyncio.gather(*(client.call("crm.enum.fields", {"n": n}) for n in range(count)))
        return told, portal.requests

    told, requests = run(main)
    assert told == list(range(count))
    assert requests == math.ceil(count / 50)


async def test_a_lone_call_goes_as_itself(portal, connect):
    await connect().call("crm.item.update", {**UPDATE, "id": 5, "flag": None, "yes": True})
    (method, body) = portal.bodies[0]
    assert method == "crm.item.update"
    assert body == {"entityTypeId": 1, "fields": {"title": "x"}, "id": 5, "flag": "", "yes": "Y"}


async def test_calls_made_while_waiting_for_a_slot_join_the_request(portal, connect):
    client = connect(burst=7)
    await asyncio.gather(*(client.call("crm.item.update", {**UPDATE, "id": one}) for one in range(50 * 3)))
    before = portal.requests
    calls = [asyncio.ensure_future(client.call("profile"))]
    for _ in range(20):
        await asyncio.sleep(0.02)
        calls.append(asyncio.ensure_future(client.call("profile")))
    await asyncio.gather(*calls)
    assert portal.requests - before <= 2


async def test_slow_methods_travel_in_shorter_batches(portal, connect):
    portal.costs = {"crm.item.update": 2.0}
    client = connect()
    await asyncio.gather(*(client.call("crm.item.update", {**UPDATE, "id": one}) for one in range(60)))
    sizes = [len(body["cmd"]) for method, body in portal.bodies if method == "batch"]
    assert all(size <= 3 for size in sizes[3:])
    assert sorted(portal.updates) == list(range(60))


async def test_at_most_four_writing_requests_are_in_flight(portal, connect):
    portal.latency = 0.5
    client = connect()
    lanes = list(Lane)
    await asyncio.gather(
        *(client.call("crm.item.update", {**UPDATE, "id": one}, lane=lanes[one % 3]) for one in range(900))
    )
    assert portal.most_in_flight <= 4


async def test_hot_goes_before_normal_before_background(portal, connect):
    client = connect()
    order = []

    async def one(lane, number):
        await client.call("crm.item.update", {**UPDATE, "id": number}, lane=lane)
        order.append(lane)

    jobs = [one(lane, number) for lane in (Lane.BACKGROUND, Lane.NORMAL, Lane.HOT) for number in range(100)]
    await asyncio.gather(*jobs)
    assert order.index(Lane.HOT) < order.index(Lane.BACKGROUND)
    assert set(order[:100]) == {Lane.HOT}
    assert order[100:150].count(Lane.NORMAL) == 45, "a few places of a full batch are the background's"


async def test_background_moves_under_a_flood_of_normal_work(portal, connect):
    client, loop = connect(), asyncio.get_running_loop()
    flood = [asyncio.ensure_future(client.call("crm.item.update", {**UPDATE, "id": n})) for n in range(4000)]
    began = loop.time()
    await asyncio.gather(*(client.call("profile", lane=Lane.BACKGROUND) for _ in range(5)))
    assert loop.time() - began < 2
    await asyncio.gather(*flood)


async def test_frequent_hot_calls_take_others_along(portal, connect):
    client = connect(pace=Pace(hot_frequent=0.5))
    loop = asyncio.get_running_loop()
    backfill = [
        asyncio.ensure_future(client.call("crm.item.update", {**UPDATE, "id": n}, lane=Lane.BACKGROUND))
        for n in range(4000)
    ]
    waits = []
    for _ in range(60):
        await asyncio.sleep(0.6)
        began = loop.time()
        await client.call("profile", lane=Lane.HOT)
        waits.append(loop.time() - began)
    await asyncio.gather(*backfill)
    mixed = [b for m, b in portal.bodies if m == "batch" and "profile" in b["cmd"].values()]
    assert mixed
    assert all(len(body["cmd"]) <= 12 for body in mixed)
    assert max(waits) < 0.3
    assert portal.limited == 0


async def test_equal_reads_are_one(portal, connect):
    portal.items = {5: {"id": 5}}
    client = connect()
    cards = await asyncio.gather(*(client.load(1, 5) for _ in range(100)))
    assert cards == [{"id": 5}] * 100
    assert portal.bodies == [("crm.item.get", {"entityTypeId": 1, "id": 5, "useOriginalUfNames": "Y"})]
    assert client.stats.loads_joined == 99


async def test_a_read_on_its_way_is_not_joined(portal, connect):
    """It may have been read before the change the second caller heard of."""
    portal.items = {5: {"id": 5, "title": "old"}}
    portal.latency = 0.0
    portal.costs = {"crm.item.get": 0.5}
    client = connect()
    first = asyncio.ensure_future(client.load(1, 5))
    await asyncio.sleep(0.1)
    portal.items[5] = {"id": 5, "title": "new"}
    assert (await client.load(1, 5))["title"] == "new"
    await first


async def test_pages_ask_for_every_field_the_documented_way(portal, connect):
    portal.items = {one: {"id": one} for one in range(1, 4)}
    await asyncio.gather(*(connect().load(2, one) for one in (1, 2)), return_exceptions=True)
    client = connect()
    await asyncio.gather(*(client.load(2, one) for one in (1, 2)))
    method, body = portal.bodies[-1]
    assert method == "crm.item.list"
    assert body == {
        "entityTypeId": 2, "select": ["*"], "filter": {"@id": [1, 2]}, "order": {"id": "ASC"}, "start": -1,
        "useOriginalUfNames": "Y",
    }  # fmt: skip


async def test_a_card_missing_from_its_page_is_looked_at_twice(portal, connect):
    portal.items = {one: {"id": one} for one in range(1, 10)}
    hidden = portal.page
    portal.page = lambda params: [row for row in hidden(params) if row["id"] != 3]
    client = connect()
    told = await asyncio.gather(*(client.load(1, one) for one in (1, 2, 3, 77)), return_exceptions=True)
    assert [one["id"] for one in told[:3]] == [1, 2, 3]
    assert isinstance(told[3], errors.NotFound)


async def test_one_waiter_giving_up_does_not_hurt_the_other(portal, connect):
    portal.items = {5: {"id": 5}}
    client = connect()
    first, second = (asyncio.ensure_future(client.load(1, 5)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)["id"] == 5


async def test_a_waiting_read_moves_up_with_its_waiters(portal, connect):
    portal.items = {5: {"id": 5}, **{one: {"id": one} for one in range(100, 200)}}
    client = connect(burst=5)
    await asyncio.gather(*(client.call("crm.item.update", {**UPDATE, "id": one}) for one in range(100)))
    slow = asyncio.ensure_future(client.load(1, 5, lane=Lane.BACKGROUND))
    await asyncio.sleep(0)
    hot = asyncio.ensure_future(client.load(1, 5, lane=Lane.HOT))
    assert await slow == await hot == {"id": 5}
    assert client.stats.loads_joined == 1


async def test_cards_of_several_types_share_a_batch(portal, connect):
    portal.items = {one: {"id": one} for one in range(1, 61)}
    client = connect()
    await asyncio.gather(*(client.load(kind, one) for kind in (1, 2, 4) for one in range(1, 61)))
    assert portal.requests == 1
    assert len(portal.bodies[0][1]["cmd"]) == 6


async def collect(client, **params):
    return [row["id"] async for row in client.walk("crm.item.list", {"entityTypeId": 1, **params})]


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 101, 2500])
async def test_a_walk_gives_every_row_once_in_order(portal, connect, count):
    portal.items = {one: {"id": one} for one in range(1, count + 1)}
    assert await collect(connect()) == list(range(1, count + 1))


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (49, 1), (50, 2), (51, 2), (101, 3)])
async def test_a_short_list_is_one_call_when_that_is_expected(portal, connect, count, calls):
    portal.items = {one: {"id": one} for one in range(1, count + 1)}
    client, asked = connect(), []

    async def read(question):
        asked.append(question)
        return await client.call("crm.item.list", question)

    rows = Walk(read, "crm.item.list", {"entityTypeId": 1}, "id", few=True).rows()
    assert [row["id"] async for row in rows] == list(range(1, count + 1))
    assert len(asked) == calls


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 120)), max_size=8))
def test_gaps_and_crowds_cost_requests_never_rows(runs):
    """Stretches of ids with gaps between them of any size."""
    ids, at = [], 0
    for gap, length in runs:
        ids += range(at + gap, at + gap + length)
        at = ids[-1]

    async def main(portal, client):
        portal.items = {one: {"id": one} for one in ids}
        return await collect(client)

    assert run(main) == ids


async def test_a_walk_across_a_huge_gap_is_short(portal, connect):
    ids = [*range(1, 101), *range(5_000_000, 5_000_100)]
    portal.items = {one: {"id": one} for one in ids}
    assert await collect(connect()) == ids
    assert portal.requests < 20


async def test_a_walk_goes_on_from_where_the_last_one_ended(portal, connect):
    portal.items = {one: {"id": one} for one in range(1, 301)}
    assert await collect(connect(), filter={">id": 120}) == list(range(121, 301))
    assert await collect(connect(), filter={">id": 300}) == []


async def test_a_walk_can_be_left_early(portal, connect):
    portal.items = {one: {"id": one} for one in range(1, 20001)}
    client = connect()
    walk = client.walk("crm.item.list", {"entityTypeId": 1})
    async for row in walk:
        if row["id"] == 60:
            break
    await walk.aclose()
    assert await client.call("profile") == {"ID": "7"}


async def test_empty_rows_are_told_apart_from_no_rows(portal, connect):
    portal.page = lambda _params: [[], []]
    with pytest.raises(errors.Rejected, match="useOriginalUfNames"):
        await collect(connect())


async def test_a_list_that_ignores_the_filter_is_refused_not_repeated_for_ever(portal, connect):
    portal.page = lambda params: [
        {"id": one} for one in (range(1, 51) if params["order"]["id"] == "ASC" else range(950, 1000))
    ]
    with pytest.raises(errors.Rejected, match="does not filter by id"):
        await collect(connect())


async def test_a_walk_pages_by_itself(connect):
    with pytest.raises(ValueError, match="order and start"):
        connect().walk("crm.item.list", {"order": {"id": "DESC"}})


async def test_observers_see_requests(portal, connect):
    seen = []
    client = connect(observe=seen.append)
    await asyncio.gather(client.call("profile"), client.call("profile"))
    assert [(one.lane, one.methods, one.outcome) for one in seen] == [(Lane.NORMAL, ("profile", "profile"), "ok")]
    assert (client.stats.requests, client.stats.commands) == (1, 2)
