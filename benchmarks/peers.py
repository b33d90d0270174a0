"""The contenders of `benchmarks.client`: our client, the best public Python ones, and a naive loop.

Each is opened on a webhook URL and then asked for one thing at a time, as the code of an integration would ask:
`read`, `update`, `listed`; or, where a peer has a call for many at once, `read_many` and `update_many`. The peers are
given what their own README gives them, and nothing is repaired for them but the way to a loopback address.
"""

import asyncio
import contextlib
import functools
import os
import warnings
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from b24pysdk.credentials import BitrixWebhook
from fast_bitrix24 import BitrixAsync
from fast_bitrix24 import srh as fast_requests

from app.bitrix24 import Bucket, Lane
from app.bitrix24.client import PortalClient
from app.bitrix24.operating import OperatingLedger
from benchmarks.figures import Physics

LEAD = 1
Card = dict[str, Any]
_SELECT = ["id", "title", "stageId"]
_THREADS = 50
_CONNECTIONS = 100


def _update(card_id: int, title: str) -> dict[str, Any]:
    return {"entityTypeId": LEAD, "id": card_id, "fields": {"title": title}}


class Session:
    """A contender at work. What it has no call for is `None`, and the row shows a dash."""

    read_many: Callable[[Sequence[int]], Any] | None = None
    update_many: Callable[[Mapping[int, str]], Any] | None = None

    async def read(self, card_id: int, *, hot: bool = False) -> Card | None:
        """One card; `hot`: somebody is waiting for it."""
        raise NotImplementedError

    async def update(self, card_id: int, title: str, *, background: bool = False) -> None:
        """One write; `background`: nobody is waiting for it."""
        raise NotImplementedError

    async def listed(self) -> Sequence[Card]:
        """Every lead."""
        raise NotImplementedError


Open = Callable[[str, Physics, Bucket | None], AbstractAsyncContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Contender:
    """`bulk`: the caller collects the work into lists by hand. `tls`: insists on https."""

    name: str
    open: Open
    ours: bool = False
    bulk: bool = False
    tls: bool = False


class _Ours(Session):
    def __init__(self, portal: PortalClient) -> None:
        self._portal = portal

    async def read(self, card_id: int, *, hot: bool = False) -> Card | None:
        return await self._portal.load(LEAD, card_id, lane=Lane.HOT if hot else Lane.NORMAL)

    async def update(self, card_id: int, title: str, *, background: bool = False) -> None:
        lane = Lane.BACKGROUND if background else Lane.NORMAL
        await self._portal.call("crm.item.update", _update(card_id, title), lane=lane)

    async def listed(self) -> Sequence[Card]:
        params = {"entityTypeId": LEAD, "select": _SELECT}
        return [row async for row in self._portal.walk("crm.item.list", params, lane=Lane.NORMAL)]


@contextlib.asynccontextmanager
async def _ours(url: str, physics: Physics, bucket: Bucket | None) -> AsyncGenerator[Session]:
    ledger = OperatingLedger(limit=physics.operating, window=physics.window)
    given = {"requests_per_second": physics.leak, "burst": physics.burst}
    async with PortalClient(url, bucket=bucket, ledger=ledger, **given) as portal:
        yield _Ours(portal)


class _Naive(Session):
    """A hundred calls at a time: httpx itself comes to a stop over thousands that wait in its pool."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._places = asyncio.Semaphore(_CONNECTIONS)

    async def _call(self, method: str, params: dict[str, Any]) -> Any:
        async with self._places:
            response = await self._http.post(method, json=params)
        response.raise_for_status()
        return response.json()

    async def read(self, card_id: int, *, hot: bool = False) -> Card | None:
        answer = await self._call("crm.item.get", {"entityTypeId": LEAD, "id": card_id})
        return answer["result"]["item"]

    async def update(self, card_id: int, title: str, *, background: bool = False) -> None:
        await self._call("crm.item.update", _update(card_id, title))

    async def listed(self) -> Sequence[Card]:
        rows: list[Card] = []
        start: int | None = 0
        while start is not None:
            answer = await self._call("crm.item.list", {"entityTypeId": LEAD, "select": _SELECT, "start": start})
            rows += answer["result"]["items"]
            start = answer.get("next")
        return rows


@contextlib.asynccontextmanager
async def _naive(url: str, physics: Physics, bucket: Bucket | None) -> AsyncGenerator[Session]:
    limits = httpx.Limits(max_connections=_CONNECTIONS)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as http:
        yield _Naive(http)


class _Fast(Session):
    def __init__(self, portal: BitrixAsync, *, bulk: bool) -> None:
        self._portal = portal
        if bulk:
            self.read_many, self.update_many = self._read_many, self._update_many

    async def read(self, card_id: int, *, hot: bool = False) -> Card | None:
        answer = await self._portal.call("crm.item.get", {"entityTypeId": LEAD, "id": card_id})
        return _unwrapped(answer)

    async def update(self, card_id: int, title: str, *, background: bool = False) -> None:
        await self._portal.call("crm.item.update", _update(card_id, title))

    async def listed(self) -> Sequence[Card]:
        return await self._portal.get_all("crm.item.list", {"entityTypeId": LEAD, "select": _SELECT})

    async def _read_many(self, ids: Sequence[int]) -> Mapping[int, Card | None]:
        asked = self._portal.get_by_ID("crm.item.get", ids, ID_field_name="id", params={"entityTypeId": LEAD})
        return {int(one): _unwrapped(card) for one, card in (await asked).items()}

    async def _update_many(self, titles: Mapping[int, str]) -> None:
        await self._portal.call("crm.item.update", [_update(one, title) for one, title in titles.items()])


def _unwrapped(answer: Any) -> Card | None:
    return answer.get("item", answer) if isinstance(answer, dict) else None


@contextlib.asynccontextmanager
async def _fast(url: str, physics: Physics, bucket: Bucket | None, *, bulk: bool = False) -> AsyncGenerator[Session]:
    fast_requests.BITRIX_MEASUREMENT_PERIOD = physics.window  # not a parameter of its own; ours is told as well
    portal = BitrixAsync(
        url,
        verbose=False,
        requests_per_second=float(physics.leak),
        request_pool_size=physics.burst,
        operating_time_limit=max(1, round(physics.operating)),
    )
    warnings.filterwarnings("ignore", module="fast_bitrix24")
    yield _Fast(portal, bulk=bulk)


class _Sdk(Session):
    """Synchronous, so each call takes a thread of its own, 50 at a time."""

    def __init__(self, token: BitrixWebhook, threads: ThreadPoolExecutor, *, bulk: bool) -> None:
        self._token = token
        self._threads = threads
        if bulk:
            self.read_many, self.update_many = self._read_many, self._update_many

    async def _run(self, call: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, functools.partial(call, *given))

    async def read(self, card_id: int, *, hot: bool = False) -> Card | None:
        answer = await self._run(self._token.call_method, "crm.item.get", {"entityTypeId": LEAD, "id": card_id})
        return answer["result"]["item"]

    async def update(self, card_id: int, title: str, *, background: bool = False) -> None:
        await self._run(self._token.call_method, "crm.item.update", _update(card_id, title))

    async def listed(self) -> Sequence[Card]:
        answer = await self._run(self._token.call_list, "crm.item.list", {"entityTypeId": LEAD, "select": _SELECT})
        return answer["result"]

    async def _read_many(self, ids: Sequence[int]) -> Mapping[int, Card | None]:
        commands = {f"c{one}": ("crm.item.get", {"entityTypeId": LEAD, "id": one}) for one in ids}
        answer = await self._run(self._token.call_batches, commands)
        return {int(key[1:]): card["item"] for key, card in answer["result"]["result"].items()}

    async def _update_many(self, titles: Mapping[int, str]) -> None:
        commands = {f"c{one}": ("crm.item.update", _update(one, title)) for one, title in titles.items()}
        await self._run(self._token.call_batches, commands)


@contextlib.asynccontextmanager
async def _sdk(url: str, physics: Physics, bucket: Bucket | None, *, bulk: bool = False) -> AsyncGenerator[Session]:
    parts = urlsplit(url)
    token = BitrixWebhook(domain=parts.netloc, webhook_token=parts.path.removeprefix("/rest/"))
    threads = ThreadPoolExecutor(_THREADS)
    try:
        yield _Sdk(token, threads, bulk=bulk)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def trust(certificate: str) -> None:
    """Let `requests`, which b24pysdk calls, believe the benchmark's own certificate."""
    os.environ["REQUESTS_CA_BUNDLE"] = certificate


CONTENDERS = (
    Contender("ours", _ours, ours=True),
    Contender("fast_bitrix24", _fast),
    Contender("fast_bitrix24, lists by hand", functools.partial(_fast, bulk=True), bulk=True),
    Contender("b24pysdk", _sdk, tls=True),
    Contender("b24pysdk, lists by hand", functools.partial(_sdk, bulk=True), bulk=True, tls=True),
    Contender("naive httpx loop", _naive),
)
