"""Outgoing webhooks: what a change announces, in which wire form, and how it gets lost.

Called by `world` when something was saved. Sends in the background: no retries, a bounded queue, no order
promised (docs: api-reference/events/index, local-integrations/local-webhooks). Never blocks a save.
"""

import asyncio
import random
import ssl
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from app.sandbox.wire import encode_form

# Changing the pipeline is announced to applications only (docs: crm/deals/events/index).
APP_ONLY = frozenset({"ONCRMDEALMOVETOCATEGORY"})
_TIMEOUT = 5.0
_AT_ONCE = 16


@cache
def _authorities() -> ssl.SSLContext:
    """Read once a process: many portals are made in one."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass(slots=True)
class Subscription:
    """One outgoing webhook. `events` None means every event the portal has for webhooks."""

    url: str
    events: frozenset[str] | None = None
    handler_id: int = 1

    def wants(self, code: str) -> bool:
        return code not in APP_ONLY and (self.events is None or code in self.events)


@dataclass(slots=True)
class Delivery:
    """How badly the queue behaves: shares of lost and doubled events, and a random delay up to `delay` s."""

    drop_rate: float = 0.0
    duplicate_rate: float = 0.0
    delay: float = 0.0
    queue_size: int = 10_000


@dataclass(slots=True)
class EventCounts:
    raised: int = 0
    sent: int = 0
    failed: int = 0
    dropped: int = 0
    by_code: dict[str, int] = field(default_factory=dict[str, int])


class Outbox:
    """Sends events from a thread of its own, started by the first event."""

    def __init__(self, dice: random.Random) -> None:
        self.delivery = Delivery()
        self.counts = EventCounts()
        self._dice = dice
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: httpx.AsyncClient | None = None
        self._slots: asyncio.Semaphore | None = None
        self._waiting = 0
        self._idle = threading.Condition()

    def post(self, url: str, body: dict[str, Any]) -> None:
        """Queue one event for one handler; whether it arrives is the world's business."""
        if self._dice.random() < self.delivery.drop_rate:
            self.counts.dropped += 1
            return
        copies = 2 if self._dice.random() < self.delivery.duplicate_rate else 1
        for _ in range(copies):
            self._queue(url, encode_form(body), self._dice.random() * self.delivery.delay)

    def wait(self, timeout: float = 10.0) -> bool:
        """Block until nothing is waiting to be sent; False if it took longer than `timeout` seconds."""
        with self._idle:
            return self._idle.wait_for(lambda: self._waiting == 0, timeout)

    def close(self) -> None:
        """Stop sending; what is still queued is lost, as it would be."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        asyncio.run_coroutine_threadsafe(self._shut(), loop).result(_TIMEOUT)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_TIMEOUT)
        loop.close()
        with self._idle:
            self._waiting = 0
            self._idle.notify_all()

    def _queue(self, url: str, body: str, delay: float) -> None:
        with self._idle:
            if self._waiting >= self.delivery.queue_size:
                self.counts.dropped += 1
                return
            self._waiting += 1
        loop = self._started()
        loop.call_soon_threadsafe(self._spawn, self._send(url, body, delay))

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-events", daemon=True)
            self._tasks: set[asyncio.Task[None]] = set()
            self._client = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False, verify=_authorities())
            self._slots = asyncio.Semaphore(_AT_ONCE)
            self._thread.start()
        return self._loop

    def _spawn(self, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(sending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, url: str, body: str, delay: float) -> None:
        try:
            if delay:
                await asyncio.sleep(delay)
            await self._deliver(url, body)
        finally:
            with self._idle:
                self._waiting -= 1
                self._idle.notify_all()

    async def _deliver(self, url: str, body: str) -> None:
        if self._client is None or self._slots is None:
            return
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with self._slots:
            try:
                answer = await self._client.post(url, content=body, headers=headers)
            except httpx.HTTPError:
                self.counts.failed += 1
                return
        if answer.is_success:
            self.counts.sent += 1
        else:
            self.counts.failed += 1

    async def _shut(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()


def event_body(
    code: str, data: dict[str, Any], *, auth: dict[str, str], handler_id: int, stamp: float
) -> dict[str, Any]:
    """The wire form; `ts` is unix seconds of sending (docs: api-reference/events/index)."""
    return {
        "event": code,
        "event_handler_id": handler_id,
        # Events of telephony tell what they know without a wrapper (telephony/voximplant/events).
        "data": data if code.startswith("ONVOXIMPLANT") else {"FIELDS": data},
        "ts": int(stamp),
        "auth": auth,
    }
