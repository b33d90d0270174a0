"""What the client does when the portal refuses, fails or falls silent, in virtual time."""

import asyncio

import httpx
import pytest
from portal_model import URL, answer_once

from app.bitrix24 import errors
from app.bitrix24.client import READ_TIMEOUT, PortalClient
from app.bitrix24.lanes import Lane
from app.bitrix24.retry import RetryPolicy

pytestmark = pytest.mark.anyio

GATEWAY = httpx.Response(502, text="<html><body>502 Bad Gateway</body></html>")
CUT = httpx.Response(200, text='{"result":{"item":{"id":1')
FAULT = httpx.Response(500, json={"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"})
TOO_MANY = httpx.Response(503, json={"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
BLOCKED = httpx.Response(429, json={"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"})
LOST = httpx.RemoteProtocolError("Server disconnected without sending a response.")
SILENT = httpx.ReadTimeout("timed out")
UNSENT = httpx.ConnectError("All connection attempts failed")

UPDATE = {"entityTypeId": 1, "id": 5, "fields": {"title": "x"}}
ADD = {"entityTypeId": 2, "fields": {"title": "x"}}


def now():
    return asyncio.get_running_loop().time()


def after(response):
    """A fault that lets the portal do the work and then loses the answer."""

    def plant(portal, method):
        async def one(name, body):
            if name != method:
                return None
            if method == "batch":
                await portal.batch(body["cmd"])
            else:
                await portal.run(name, body)
            return response

        portal.faults.append(lambda name, body: one(name, body) if name == method else None)

    return plant


@pytest.mark.parametrize("fault", [GATEWAY, CUT, FAULT, TOO_MANY, BLOCKED, LOST, SILENT, UNSENT])
@pytest.mark.parametrize("method", ["profile", "crm.item.update"])
async def test_reads_and_updates_are_repeated(portal, connect, fault, method):
    portal.faults.append(answer_once(fault))
    assert await connect().call(method, UPDATE)
    assert portal.requests == 2


@pytest.mark.parametrize("fault", [TOO_MANY, BLOCKED, UNSENT])
async def test_a_creating_call_that_was_not_executed_is_repeated(portal, connect, fault):
    portal.faults.append(answer_once(fault))
    await connect().call("crm.item.add", ADD)
    assert len(portal.added) == 1


@pytest.mark.parametrize("fault", [GATEWAY, CUT, FAULT, LOST, SILENT])
async def test_a_creating_call_that_may_have_run_is_not_repeated_blindly(portal, connect, fault):
    after(fault)(portal, "crm.item.add")
    with pytest.raises(errors.OutcomeUnknown, match="Look for the created object first"):
        await connect().call("crm.item.add", ADD)
    assert len(portal.added) == 1
    assert portal.requests == 1


@pytest.mark.parametrize(("fault", "requests"), [(CUT, 1), (LOST, 1), (TOO_MANY, 2), (UNSENT, 2)])
async def test_a_call_for_once_is_repeated_only_when_it_was_not_executed(portal, connect, fault, requests):
    portal.faults.append(answer_once(fault))
    told = await asyncio.gather(connect().call("crm.item.update", UPDATE, once=True), return_exceptions=True)
    assert portal.requests == requests
    assert isinstance(told[0], errors.OutcomeUnknown) is (requests == 1)


async def test_looking_finds_what_was_created(portal, connect):
    after(LOST)(portal, "crm.item.add")

    async def look():
        return {"item": {"id": 1}} if portal.added else None

    assert await connect().call("crm.item.add", ADD, look=look) == {"item": {"id": 1}}
    assert len(portal.added) == 1


async def test_looking_in_vain_allows_a_repeat(portal, connect):
    portal.faults.append(answer_once(LOST))
    looks = []

    async def look():
        looks.append(now())

    assert await connect().call("crm.item.add", ADD, look=look) == {"item": {"id": 1}}
    assert len(portal.added) == 1
    assert looks[1] - looks[0] >= 5, "the portal may still be at it: look again before repeating"


async def test_a_slow_portal_is_given_time_before_repeating(portal, connect):
    """The connection breaks, the portal goes on and creates the object three seconds later."""

    async def late(_name, _body):
        asyncio.get_running_loop().call_later(3, portal.added.append, {"title": "x"})
        return LOST

    portal.faults.append(lambda name, body: late(name, body) if name == "crm.item.add" else None)

    async def look():
        return {"item": {"id": 1}} if portal.added else None

    await connect().call("crm.item.add", ADD, look=look)
    assert len(portal.added) == 1


async def test_a_failing_look_never_leads_to_a_repeat(portal, connect):
    after(LOST)(portal, "crm.item.add")
    client = connect(retry=RetryPolicy(attempts=2))

    async def look():
        portal.faults += [answer_once(GATEWAY)] * 2
        return await client.call("crm.item.list", {"entityTypeId": 2})

    with pytest.raises(errors.OutcomeUnknown):
        await client.call("crm.item.add", ADD, look=look)
    assert len(portal.added) == 1


async def test_a_batch_without_an_answer_settles_each_call_by_its_kind(portal, connect):
    portal.items = {5: {"id": 5}}
    after(GATEWAY)(portal, "batch")
    client = connect()

    async def look():
        return {"item": {"id": 77}}

    told = await asyncio.gather(
        client.call("profile"),
        client.call("crm.item.update", UPDATE),
        client.call("crm.item.add", ADD),
        client.call("crm.item.add", ADD, look=look),
        return_exceptions=True,
    )
    assert told[0] == {"ID": "7"}
    assert told[1] == {"item": {"id": 5}}
    assert isinstance(told[2], errors.OutcomeUnknown)
    assert told[3] == {"item": {"id": 77}}
    assert len(portal.added) == 2


async def test_errors_inside_a_batch_reach_their_own_callers(portal, connect):
    portal.items = {5: {"id": 5}}
    client = connect()
    told = await asyncio.gather(
        client.call("crm.item.get", {"id": 5}),
        client.call("crm.item.get", {"id": 6}),
        client.call("crm.no.such"),
        return_exceptions=True,
    )
    assert told[0] == {"item": {"id": 5}}
    assert isinstance(told[1], errors.NotFound)
    assert isinstance(told[2], errors.MethodNotFound)
    assert told[2].method == "crm.no.such"
    assert portal.requests == 1, "a permanent error is not repeated"


async def test_a_command_missing_from_the_answer_is_asked_again(portal, connect):
    portal.faults.append(
        answer_once(httpx.Response(200, json={"result": {"result": {"aa": {"ID": "7"}}, "result_error": []}}))
    )
    client = connect()
    assert await asyncio.gather(client.call("profile"), client.call("profile")) == [{"ID": "7"}] * 2


async def test_a_503_fills_the_bucket(portal, connect):
    portal.faults.append(answer_once(TOO_MANY))
    client, began = connect(), now()
    await client.call("profile", lane=Lane.HOT)
    assert now() - began >= 1.5
    assert client.stats.rate_limited == 1
    assert client.stats.retries == 1


async def test_no_number_of_503s_uses_up_the_attempts(portal, connect):
    portal.faults += [answer_once(TOO_MANY) for _ in range(30)]
    assert await connect().call("profile") == {"ID": "7"}


async def test_calls_refused_together_keep_their_order(portal, connect):
    portal.faults.append(answer_once(TOO_MANY))
    client = connect(in_flight=2)
    updates = [client.call("crm.item.update", {**UPDATE, "id": one}) for one in range(120)]
    await asyncio.gather(*updates)
    assert portal.updates[:50] == list(range(50)), "refused calls go back to the head of the queue"
    assert sorted(portal.updates) == list(range(120))


async def test_one_callers_failures_are_not_anothers(portal, connect):
    """Thirty calls of a method that always fails use up nobody's attempts but their own."""

    portal.faults += [answer_once(FAULT, method="crm.item.fields") for _ in range(200)]
    client = connect(retry=RetryPolicy(attempts=3))

    async def failing():
        with pytest.raises(errors.ServerFault):
            await client.call("crm.item.fields")

    async def spread(number):
        await asyncio.sleep(number)
        await failing()

    await asyncio.gather(*(spread(number) for number in range(30)))
    assert await client.call("profile") == {"ID": "7"}


async def test_attempts_are_bounded(portal, connect):
    portal.faults += [answer_once(GATEWAY) for _ in range(9)]
    with pytest.raises(errors.ServerFault, match="not JSON"):
        await connect().call("profile")
    assert portal.requests == 5


async def test_a_nested_429_closes_only_its_method(portal, connect):
    portal.costs = {"crm.item.update": 0.1}
    portal.baskets["crm.item.update"] = [[now() - 480, 481.0]]
    client, began, done = connect(), now(), {}

    async def one(method):
        await client.call(method, UPDATE)
        done[method] = now() - began

    await asyncio.gather(one("crm.item.update"), one("profile"))
    assert done["profile"] < 1
    assert 60 <= done["crm.item.update"] < 190
    assert portal.updates == [5]
    assert client.stats.operating_limited >= 1


async def test_a_429_of_the_batch_itself_lets_single_calls_go_on(portal, connect):
    portal.faults.append(answer_once(BLOCKED, method="batch"))
    client, began = connect(), now()
    await asyncio.gather(*(client.call("profile") for _ in range(3)))
    assert now() - began < 1
    assert [method for method, _ in portal.bodies] == ["batch", "profile", "profile", "profile"]


async def test_a_method_refused_inside_a_batch_goes_alone(portal, connect):
    portal.items = {5: {"id": 5}}
    refused = {"error": "ERROR_BATCH_METHOD_NOT_ALLOWED", "error_description": "Method is not allowed for batch usage"}
    portal.faults.append(
        answer_once(
            httpx.Response(
                200,
                json={"result": {"result": {"aa": {"ID": "7"}}, "result_error": {"ab": refused}, "result_time": []}},
            )
        )
    )
    client = connect()
    told = await asyncio.gather(client.call("profile"), client.call("crm.item.add", ADD))
    assert told[1] == {"item": {"id": 1}}
    await asyncio.gather(client.call("profile"), client.call("crm.item.add", ADD))
    assert portal.bodies[-1][0] != "batch"
    assert len(portal.added) == 2


async def test_a_portal_with_shorter_batches_is_learned(portal, connect):
    long = {"error": "ERROR_BATCH_LENGTH_EXCEEDED", "error_description": "Max batch length exceeded"}
    portal.faults.append(
        lambda name, body: httpx.Response(400, json=long) if name == "batch" and len(body["cmd"]) > 40 else None
    )
    client = connect()
    await asyncio.gather(*(client.call("crm.item.update", {**UPDATE, "id": one}) for one in range(100)))
    assert sorted(portal.updates) == list(range(100))


async def test_what_a_command_cannot_carry_goes_alone_and_exact(portal, connect):
    client = connect()
    rows = {"ownerType": "D", "ownerId": 5, "productRows": []}
    portal.methods = {"crm.item.productrow.set": lambda params: {"got": params["productRows"]}}
    text = "please $result[aa][item][id] me"
    await asyncio.gather(
        client.call("profile"),
        client.call("crm.item.productrow.set", rows),
        client.call("crm.item.update", {**UPDATE, "fields": {"comments": text}}),
        client.call("profile"),
    )
    alone = {method: body for method, body in portal.bodies if method != "batch"}
    assert alone["crm.item.productrow.set"]["productRows"] == []
    assert alone["crm.item.update"]["fields"]["comments"] == text


@pytest.mark.parametrize(
    ("location", "accepted"),
    [
        ("https://newname.example/rest/7/s3cr3tc0de/profile", True),
        ("https://newname.example:8443/rest/7/s3cr3tc0de/profile.json", True),
        ("http://newname.example/rest/7/s3cr3tc0de/profile", False),
        ("https://newname.example/rest/7/other/profile", False),
        ("https://newname.example/auth/?backurl=/rest/7/s3cr3tc0de/", False),
        ("https://user@newname.example/rest/7/s3cr3tc0de/profile", False),
        ("", False),
        ("https://[bad", False),
    ],
)
async def test_a_renamed_portal_is_followed(portal, connect, location, accepted):
    seen = []

    def moved(name, _body):
        return httpx.Response(302, headers={"Location": location}, text="<html>moved</html>")

    portal.faults.append(moved)
    renamed = []

    async def on_rename(url):
        renamed.append(url)

    transport = portal.transport()
    inner = transport.handler

    async def spy(request):
        seen.append((str(request.url), request.method, request.content))
        return await inner(request)

    transport.handler = spy
    loop = asyncio.get_running_loop()
    async with PortalClient(
        URL, transport=transport, clock=loop.time, on_rename=on_rename, retry=RetryPolicy(attempts=1)
    ) as client:
        if not accepted:
            with pytest.raises(errors.ServerFault, match="elsewhere") as caught:
                await client.call("crm.item.update", UPDATE)
            assert "s3cr3tc0de" not in str(caught.value)
            assert renamed == []
            return
        assert await client.call("crm.item.update", UPDATE)
        await client.call("profile")
    assert len(renamed) == 1
    assert renamed[0].startswith("https://newname.example")
    assert renamed[0].endswith("/rest/7/s3cr3tc0de/")
    assert seen[0][2] == seen[1][2], "the body is posted again"
    assert all(method == "POST" for _, method, _ in seen)
    assert all(url.startswith("https://newname.example") for url, _, _ in seen[1:])


async def test_closing_leaves_nobody_waiting(portal, connect):
    portal.latency = 1000.0
    client = connect()
    calls = [
        asyncio.ensure_future(client.call("profile")),
        asyncio.ensure_future(client.load(1, 5)),
        asyncio.ensure_future(client.call("crm.item.add", ADD)),
    ]
    await asyncio.sleep(1)
    late = [asyncio.ensure_future(client.call("profile") if n % 2 else client.load(1, n + 9)) for n in range(40)]
    await asyncio.sleep(0)
    await client.aclose()
    told = await asyncio.gather(*calls, *late, return_exceptions=True)
    assert isinstance(told[2], errors.OutcomeUnknown)
    assert all(isinstance(one, errors.Closed | errors.OutcomeUnknown) for one in told)
    with pytest.raises(errors.Closed):
        await client.call("profile")


async def test_a_caller_that_gave_up_is_not_sent(portal, connect):
    client = connect()
    call = asyncio.ensure_future(client.call("crm.item.update", UPDATE))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.sleep(1)
    assert portal.requests == 0
    assert await client.call("profile") == {"ID": "7"}


async def test_no_answer_means_no_result(portal, connect):
    """A call never ends with None without having been sent."""
    portal.faults += [answer_once(UNSENT) for _ in range(20)]
    with pytest.raises(errors.Unreachable) as caught:
        await connect().call("crm.item.add", ADD)
    assert not caught.value.may_have_run
    assert portal.added == []


async def test_a_failing_shared_bucket_leaves_nobody_waiting(portal, connect):
    class Broken:
        asked = 0

        async def take(self, *, held_back):
            self.asked += 1
            if self.asked <= 2:
                raise ConnectionError("the database is away")
            return 0.0

        async def overflowed(self):
            raise ConnectionError("the database is away")

    client = connect(bucket=Broken())
    assert await asyncio.gather(client.call("profile"), client.call("profile")) == [{"ID": "7"}] * 2
    portal.faults.append(answer_once(TOO_MANY))
    assert await client.call("profile") == {"ID": "7"}
    never = connect(bucket=Broken(), retry=RetryPolicy(attempts=2))
    with pytest.raises(errors.Unreachable, match="database is away"):
        await never.call("crm.item.add", ADD)


async def test_a_hot_write_without_a_place_does_not_stop_the_world(portal, connect):
    """All writing places taken, the bucket low, a read of a slower lane waiting: the loop must sleep, not spin."""
    portal.latency = 30.0
    client = connect(burst=8)
    hot = [asyncio.ensure_future(client.call("crm.item.update", UPDATE, lane=Lane.HOT)) for _ in range(1)]
    for _ in range(5):
        await asyncio.sleep(0.1)
        hot.append(asyncio.ensure_future(client.call("crm.item.update", UPDATE, lane=Lane.HOT)))
    reads = asyncio.ensure_future(client.call("profile"))
    await asyncio.gather(*hot, reads)
    assert portal.most_in_flight <= 5


async def test_a_failing_rename_hook_is_not_the_calls_failure(portal, connect):
    location = "https://newname.example/rest/7/s3cr3tc0de/profile"
    portal.faults.append(answer_once(httpx.Response(302, headers={"Location": location})))

    async def on_rename(url):
        raise RuntimeError(len(url))

    assert await connect(on_rename=on_rename).call("profile") == {"ID": "7"}


def test_the_client_outlasts_the_platforms_minute():
    """A shorter timeout gives up on writes the portal goes on to apply."""
    assert READ_TIMEOUT > 60


async def test_a_write_that_waited_while_the_right_to_it_was_lost_is_not_sent(portal, connect):
    epochs = [1]
    client = connect(epoch=lambda: epochs[-1])
    portal.faults.append(answer_once(BLOCKED))
    write = asyncio.create_task(client.call("crm.item.add", ADD, look=lambda: asyncio.sleep(0, None)))
    await asyncio.sleep(5)
    epochs.append(2)
    with pytest.raises(errors.Closed, match="Not sent"):
        await write
    assert portal.added == []
    assert await client.call("crm.item.add", ADD), "what is begun now is ours again"
    assert len(portal.added) == 1
