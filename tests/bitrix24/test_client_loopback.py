"""The client over real sockets: what HTTP libraries and networks do, and what must not leak."""

import asyncio
import contextlib
import json
import logging

import pytest

from app.bitrix24 import errors
from app.bitrix24.client import PortalClient
from app.bitrix24.retry import RetryPolicy

pytestmark = pytest.mark.anyio
SECRET = "s3cr3tc0de"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


class Server:
    """Answers each request by the next of its turns; the last one stays."""

    def __init__(self):
        self.turns, self.seen, self.url = [], [], ""

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.decode().split("\r\n")
                length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length"))
                self.seen.append((lines[0], json.loads(await reader.readexactly(length))))
                turn = self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]
                if turn is None:  # did the work, then the line broke
                    break
                if turn == "hang":
                    await asyncio.sleep(60)
                    break
                writer.write(turn)
                await writer.drain()
        writer.close()


def http(body, status="200 OK", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


OK = http({"result": {"ID": "7"}})


@pytest.fixture
async def server():
    one = Server()
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    one.url = f"http://127.0.0.1:{port}/rest/7/{SECRET}"
    yield one
    listening.close()


@pytest.fixture
async def connect(server):
    made = []

    def make(url=None, **given):
        client = PortalClient(url or server.url, **{"retry": ONCE, **given})
        made.append(client)
        return client

    yield make
    for client in made:
        await client.aclose()


async def test_a_call_over_the_wire(server, connect):
    server.turns = [OK]
    assert await connect().call("profile", {"a": 1}) == {"ID": "7"}
    line, body = server.seen[0]
    assert line == f"POST /rest/7/{SECRET}/profile HTTP/1.1"
    assert body == {"a": 1}


async def test_a_webhook_url_may_end_in_a_slash(server, connect):
    server.turns = [OK]
    assert await connect(server.url + "/").call("profile") == {"ID": "7"}


@pytest.mark.parametrize(
    "url", ["", "acme.example", "https://acme.example/", "https://acme.example/rest/7/", "ftp://acme.example/rest/7/x/",
            "https://acme.example/rest/x/y/", "https://acme.example/rest/7/code/?a=b", "https://[bad/rest/7/x/"]
)  # fmt: skip
async def test_a_wrong_webhook_url_is_refused_at_once(url):
    with pytest.raises(ValueError, match="looks like"):
        PortalClient(url)


async def test_a_hang_ends_in_a_timeout(server, connect):
    server.turns = ["hang"]
    with pytest.raises(errors.Unreachable, match="ReadTimeout") as caught:
        await connect(read_timeout=0.1).call("crm.item.update", {"id": 5})
    assert caught.value.may_have_run
    with pytest.raises(errors.OutcomeUnknown):
        await connect(read_timeout=0.1).call("crm.item.add", {"fields": {"x": 1}})


async def test_a_connection_dropped_after_the_write(server, connect):
    server.turns = [None, OK]
    with pytest.raises(errors.OutcomeUnknown):
        await connect().call("crm.item.add", {"fields": {"x": 1}})
    assert len(server.seen) == 1


async def test_a_dropped_read_is_repeated(server, connect):
    server.turns = [None, OK]
    assert await connect(retry=RetryPolicy(first_wait=0.01)).call("profile") == {"ID": "7"}
    assert len(server.seen) == 2


async def test_a_body_cut_short(server, connect):
    whole = http({"result": {"ID": "7"}})
    server.turns = [whole.replace(b"Content-Length: 23", b"Content-Length: 99")]

    async def closing(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(server.turns[0])
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(closing, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    with pytest.raises(errors.Temporary):
        await connect(f"http://127.0.0.1:{port}/rest/7/{SECRET}/").call("profile")
    listening.close()


async def test_nobody_listens(connect):
    with pytest.raises(errors.Unreachable) as caught:
        await connect(f"http://127.0.0.1:9/rest/7/{SECRET}/").call("crm.item.add", {"fields": {"x": 1}})
    assert not caught.value.may_have_run


async def test_a_page_of_html(server, connect):
    server.turns = [http(b"<html>502</html>", "502 Bad Gateway")]
    with pytest.raises(errors.ServerFault, match="502"):
        await connect().call("profile")


async def test_a_rename_is_followed_with_the_body(server, connect):
    other = Server()
    other.turns = [OK]
    listening = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    there = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/rest/7/{SECRET}/"
    server.turns = [http(b"", "302 Found", Location=there + "profile")]
    renamed = []

    async def on_rename(url):
        renamed.append(url)

    client = connect(on_rename=on_rename)
    assert await client.call("profile", {"a": 1}) == {"ID": "7"}
    assert await client.call("profile", {"a": 2}) == {"ID": "7"}
    assert [body for _, body in other.seen] == [{"a": 1}, {"a": 2}]
    assert renamed == [there]
    assert len(server.seen) == 1
    assert client.stats.renames == 1
    listening.close()


async def test_the_secret_is_in_no_error_log_or_repr(server, connect, caplog):
    caplog.set_level(logging.DEBUG)
    page = f"<html>/rest/7/{SECRET}/profile was not found</html>".encode()
    location = f"http://127.0.0.1:9/rest/7/{SECRET}/profile"
    for turn in (http(page, "404 Not Found"), http(b"", "302 Found", Location=location), None, "hang"):
        server.turns = [turn]
        client = connect(read_timeout=0.05)
        with pytest.raises(errors.Bitrix24Error) as caught:
            await client.call("profile")
        chain, texts = caught.value, [repr(client), str(client)]
        while chain is not None:
            texts += [str(chain), repr(chain), repr(getattr(chain, "request", ""))]
            chain = chain.__cause__ or chain.__context__
        assert SECRET not in " ".join(texts)
    assert SECRET not in caplog.text
    assert "/rest/7/***" in caplog.text, "httpx does log the request line; it is masked, not silenced"
