"""The webhook address of a real server under a short barrage, and under connections that never finish a sentence.

The whole barrage is `make fuzz`: a hundred thousand of the same cases.
"""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from app.web.short_heads import LARGEST_HEAD, protocol
from tests.fuzz.barrage import fire
from tests.fuzz.heads import cases
from tests.fuzz.house import Target, target, two_portals
from tests.fuzz.stored import faults_of

CASES, WARM_UP, SEED = 4000, 1000, 20261122
MAY_GROW = 16 * 1024
"""KiB; a leak of a few bytes a request would not show in so few, but whole bodies and connections kept would."""


@pytest.fixture
def under_fire(database_conninfo: str, database_url: str, tmp_path: Path) -> Iterator[Target]:
    portal_ids = asyncio.run(two_portals(database_conninfo, tmp_path))
    with target(database_url, portal_ids, tmp_path) as served:
        yield served


def test_thousands_of_hostile_requests_leave_nothing_and_break_nothing(
    under_fire: Target, database_conninfo: str
) -> None:
    warm = asyncio.run(fire(under_fire.port, cases(SEED, WARM_UP, robot_secret=under_fire.robot_secret)))
    before = under_fire.memory()
    outcome = asyncio.run(fire(under_fire.port, cases(SEED + 1, CASES, robot_secret=under_fire.robot_secret)))
    grown = under_fire.memory() - before
    assert warm.wrong + outcome.wrong == []
    assert grown < MAY_GROW, f"{grown} KiB more"
    statuses = {status for _, status in outcome.answered}
    assert statuses >= {200, 400, 403, 404, 405, 413}, "the barrage does not reach every answer"
    assert under_fire.get("/readyz") == 200
    outcome.add(warm)
    assert list(faults_of(database_conninfo, under_fire, outcome)) == []


def test_half_open_requests_hold_up_nobody(under_fire: Target) -> None:
    beginnings = [b"", b"POST", b"POST /webhooks/bitrix24 HTTP/1.1\r\nHost: x\r\nX: "]
    head = b"POST /webhooks/bitrix24 HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 900"
    beginnings += [head + b"\r\n\r\n", head + b"\r\n\r\nevent=ONCRM"]
    half_open = [socket.create_connection(("127.0.0.1", under_fire.port)) for _ in range(100)]
    try:
        for number, connection in enumerate(half_open):
            connection.sendall(beginnings[number % len(beginnings)])
        outcome = asyncio.run(fire(under_fire.port, cases(SEED, 200, robot_secret=under_fire.robot_secret)))
        assert outcome.wrong == []
        assert outcome.known[200] > 20
    finally:
        for connection in half_open:
            connection.close()
    assert under_fire.get("/readyz") == 200


def test_an_endless_head_is_refused_before_it_fills_the_memory(under_fire: Target) -> None:
    before = under_fire.memory()
    for line in (b"a: b\r\n" * 1000, b"y" * 6000):
        with socket.create_connection(("127.0.0.1", under_fire.port), timeout=10) as connection:
            connection.sendall(b"POST /webhooks/bitrix24 HTTP/1.1\r\nX: y")
            with pytest.raises(OSError):  # noqa: PT011 - however the system says that the other side hung up
                _pour(connection, line, most=500 * LARGEST_HEAD)
    assert under_fire.memory() - before < MAY_GROW


def _pour(connection: socket.socket, line: bytes, *, most: int) -> None:
    for _ in range(most // len(line)):
        connection.sendall(line)


@pytest.mark.anyio
@pytest.mark.parametrize("begun", [b"", b"POST /webhooks/bitrix24 HTTP/1.1\r\nX: y"], ids=["silent", "half a head"])
async def test_who_does_not_finish_a_head_is_hung_up_on(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(protocol, type)
    monkeypatch.setattr(protocol, "patience", 0.05)

    async def app(_scope, _receive, send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    server = uvicorn.Server(uvicorn.Config(app, port=0, http=protocol, log_config=None, lifespan="off"))
    running = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    async with asyncio.timeout(180):
        assert await reader.read() == b"", "hung up without a word"
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
    writer.close()
    server.should_exit = True
    await running
