"""Steps that run every few seconds beside the web process, as long as it lives."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

_log = structlog.get_logger(__name__)


async def every(seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    """Take the step again and again until cancelled, whatever becomes of one of them."""
    while True:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - the next turn may succeed, and must come
            _log.warning("a periodic step failed", step=step.__qualname__, error=str(error))
        await asyncio.sleep(seconds)
