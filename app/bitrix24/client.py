"""The way to one portal: await single calls, and they travel together within the portal's limits.

    async with PortalClient("https://portal/rest/1/code/") as portal:
        lead = await portal.load(1, 3817)
        await portal.call("crm.item.update", {"entityTypeId": 1, "id": 3817, "fields": {...}})
        async for deal in portal.walk("crm.item.list", {"entityTypeId": 2}): ...

Made by the roots, used by the pipeline. The only module that imports an HTTP library. Must not know what the calls
are for. Rules and figures it is held to: one request slot for up to 50 calls, hot calls first, one retry loop,
nothing created twice, no secret in any error or log.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import cache
from types import TracebackType
from typing import Any, Final, Self

import httpx

from app.bitrix24.address import WebhookAddress
from app.bitrix24.batcher import Batcher, Pace
from app.bitrix24.encoding import plain
from app.bitrix24.errors import Bitrix24Error, ServerFault, Unreachable
from app.bitrix24.exchange import Exchange
from app.bitrix24.lanes import Lane
from app.bitrix24.limiter import Bucket, LocalBucket
from app.bitrix24.lineup import Command
from app.bitrix24.loader import Card, Loader
from app.bitrix24.masking import MaskingFilter, mask
from app.bitrix24.operating import OperatingLedger
from app.bitrix24.protocol import Answer
from app.bitrix24.retry import Look, Retrying, RetryPolicy
from app.bitrix24.stats import Clock, Observer, Stats
from app.bitrix24.walk import Row, Walk

__all__ = ["Lane", "PortalClient"]

_HEADERS: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_LOOSE_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy")
_IDLE_SECONDS: Final = 15.0
_masking = MaskingFilter()
_log = logging.getLogger(__name__)

READ_TIMEOUT: Final = 65.0
"""The platform ends a request after 60 s (docs: limits); giving up before that leaves writes we know nothing of."""
CONNECT_TIMEOUT: Final = 10.0


class PortalClient:
    """Calls one portal through one incoming webhook. Use it from one event loop.

    `bucket` is shared between the processes that call this portal; without one the client has its own of
    `requests_per_second` and `burst`. `on_rename` is run with the new webhook URL when the portal moved.
    `stats` counts what was done; `observe` is told of each request. `epoch` gives another number once the calls made
    before must not be written to the portal any more: those still waiting then end with `Closed`.
    """

    def __init__(
        self,
        webhook_url: str,
        *,
        bucket: Bucket | None = None,
        ledger: OperatingLedger | None = None,
        requests_per_second: float = 2.0,
        burst: int = 50,
        in_flight: int = 4,
        pace: Pace | None = None,
        retry: RetryPolicy | None = None,
        read_timeout: float = READ_TIMEOUT,
        connect_timeout: float = CONNECT_TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
        on_rename: Callable[[str], Awaitable[None]] | None = None,
        observe: Observer | None = None,
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        self._address = WebhookAddress.read(webhook_url)
        self._on_rename = on_rename
        self._hooks: set[asyncio.Task[None]] = set()
        self.stats = Stats()
        self._http = _http_client(transport, httpx.Timeout(read_timeout, connect=connect_timeout))
        exchange = Exchange(
            send=self._post,
            bucket=bucket or LocalBucket(requests_per_second=requests_per_second, burst=burst, clock=clock),
            ledger=ledger or OperatingLedger(clock=clock, wall=wall),
            stats=self.stats,
            clock=clock,
            observe=observe,
        )
        self._epoch, self._clock = epoch, clock
        self._batcher = Batcher(exchange, pace or Pace(in_flight=in_flight), epoch)
        policy = retry or RetryPolicy()
        self._retrying = Retrying(self._batcher.submit, policy, clock=clock, sleep=asyncio.sleep, stats=self.stats)
        self._loader = Loader(lambda command: self._retrying.run(command, None), self.stats)

    def __repr__(self) -> str:
        return f"PortalClient({self._address})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop: calls still waiting end with `Closed`, or `OutcomeUnknown` where they may have been executed."""
        await self._batcher.aclose()
        await self._loader.aclose()
        await asyncio.gather(*self._hooks, return_exceptions=True)
        await self._http.aclose()

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        lane: Lane = Lane.NORMAL,
        look: Look | None = None,
        once: bool = False,
        within: float | None = None,
    ) -> Any:
        """The `result` of one method, as the portal gives it. Raises `Bitrix24Error`.

        `look` finds what a creating call (`*.add` and its like) would have made; with it the call is repeated
        after a lost answer once `look` has found nothing, without it `OutcomeUnknown` is raised. So it is with
        `once`, for what sets the same state again but may meanwhile have been set otherwise by somebody else. A call
        that cannot be sent `within` so many seconds is not sent: `Late`.
        How values are written: `app.bitrix24.encoding`.
        """
        return (await self.answer(method, params, lane=lane, look=look, once=once, within=within)).result

    async def answer(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        lane: Lane = Lane.NORMAL,
        look: Look | None = None,
        once: bool = False,
        within: float | None = None,
    ) -> Answer:
        """Like `call`, with `total`, `next` and `time` beside the `result`."""
        send_by = None if within is None else self._clock() + within
        return await self._retrying.run(Command(method, plain(params or {}), lane, once, self._epoch(), send_by), look)

    async def load(self, entity_type_id: int, item_id: int, *, lane: Lane = Lane.NORMAL) -> Card:
        """One card with all its fields, as `crm.item.get` with original custom names. Raises `NotFound`.

        Callers that asked for the same card together get the same map: do not change it.
        """
        return await self._loader.load(entity_type_id, item_id, lane)

    def expect(self, entity_type_id: int, names: frozenset[str]) -> None:
        """Fields that every card of a type is known to have; pages of `load` that lack them are not trusted."""
        self._loader.expect(entity_type_id, names)

    def walk(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        lane: Lane = Lane.BACKGROUND,
        id_name: str | None = None,
    ) -> AsyncIterator[Row]:
        """Every row of a list method, ids ascending; `filter` may hold `>id` to go on from somewhere.

        `id_name` is the id's name in filter and order: `id` for `crm.item.*`, else `ID`. `order` and `start`
        are the walk's own. For methods that filter by id (docs: settings/performance/huge-data).
        """
        given = dict(params or {})
        if {"order", "start"} & {key.lower() for key in given}:
            raise ValueError("a walk orders and pages by itself; leave out order and start")
        name = id_name or ("id" if method.startswith("crm.item.") else "ID")

        async def read(question: Mapping[str, Any]) -> Any:
            return await self.call(method, question, lane=lane)

        return Walk(read, method, given, name).rows()

    async def _post(self, method: str, body: bytes) -> tuple[int, bytes]:
        """One HTTP request; follows the portal to a new address once."""
        response = await self._send(self._address, method, body)
        if response.status_code not in _REDIRECTS:
            return response.status_code, response.content
        moved = self._address.moved_to(response.headers.get("Location", ""))
        if moved is None:
            raise _redirected(method, response.status_code)
        again = await self._send(moved, method, body)
        if again.status_code in _REDIRECTS:
            raise _redirected(method, again.status_code)
        self._remember(moved)
        return again.status_code, again.content

    async def _send(self, address: WebhookAddress, method: str, body: bytes) -> httpx.Response:
        try:
            return await self._http.post(f"{address.url}{method}", content=body)
        except httpx.HTTPError as error:
            failure = _unreachable(error, method)
        # Raised out here, so that the library's error, which holds the URL, is not chained to it.
        raise failure

    def _remember(self, moved: WebhookAddress) -> None:
        if moved == self._address:
            return
        self._address = moved
        self.stats.renames += 1
        if self._on_rename is not None:  # beside the call: its failure is not the call's
            hook = asyncio.create_task(_run_hook(self._on_rename, moved.url))
            self._hooks.add(hook)
            hook.add_done_callback(self._hooks.discard)


def _http_client(transport: httpx.AsyncBaseTransport | None, timeout: httpx.Timeout) -> httpx.AsyncClient:
    """Connections are as many as requests in flight; redirects are followed by us, with the body."""
    for name in _LOOSE_LOGGERS:
        logging.getLogger(name).addFilter(_masking)
    idle = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_IDLE_SECONDS)
    return httpx.AsyncClient(
        transport=transport,
        verify=_authorities(),
        timeout=timeout,
        limits=idle,
        follow_redirects=False,
        headers=_HEADERS,
    )


@cache
def _authorities() -> ssl.SSLContext:
    """Whose certificates we trust: read once a process, for it takes longer than many a call."""
    return httpx.create_ssl_context()


async def _run_hook(on_rename: Callable[[str], Awaitable[None]], url: str) -> None:
    try:
        await on_rename(url)
    except Exception as error:  # noqa: BLE001 - whatever storing the address fails with
        _log.warning("the portal moved, but its new address could not be stored: %s", mask(repr(error)))


def _redirected(method: str, status: int) -> Bitrix24Error:
    error = ServerFault("The portal sent us elsewhere, not to this webhook", method=method, status=status)
    error.may_have_run = False
    return error


def _unreachable(error: httpx.HTTPError, method: str) -> Unreachable:
    waited = " (it may still be executed)" if isinstance(error, httpx.ReadTimeout) else ""
    failure = Unreachable(f"{type(error).__name__}: {error}{waited}".rstrip(": "), method=method)
    failure.may_have_run = not isinstance(error, _NOTHING_SENT)
    return failure
