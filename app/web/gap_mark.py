"""The mark that deliveries may be missing: kept in memory while the database is away, written when it is back.

Bitrix24 does not send a webhook twice, so a delivery answered 503 is gone; the sweep that this mark starts finds
what it would have told. Used by `intake.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from app.store.database import DatabaseAway

_log = structlog.get_logger(__name__)
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0


class GapMark:
    """Remembers the moment from which deliveries may be missing, until that is written."""

    def __init__(
        self,
        write: Callable[[datetime, str], Awaitable[None]],
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`write(noticed_at, reason)` stores the mark; it may raise DatabaseAway."""
        self._write = write
        self._clock = clock
        self._sleep = sleep
        self._since: datetime | None = None
        self._writer: asyncio.Task[None] | None = None

    @property
    def open(self) -> bool:
        """Whether a mark waits to be written."""
        return self._since is not None

    def lost(self) -> None:
        """A delivery was turned away that we ought to have taken."""
        if self._since is None:
            self._since = self._clock()
            _log.error("a delivery could not be stored; a sweep will make up for it", since=self._since.isoformat())
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_when_back(), name="gap-mark")

    async def close(self) -> None:
        """Stop trying. A mark not written by now is lost; the worker's sweep at its start covers that."""
        if self._writer is not None and not self._writer.done():
            self._writer.cancel()
            await asyncio.wait([self._writer])

    async def _write_when_back(self) -> None:
        pause = _FIRST_PAUSE
        while (since := self._since) is not None:
            # Deliveries lost during the write below set a new mark: this one may be swept before they are.
            self._since = None
            try:
                await self._write(since, "deliveries could not be stored")
            except DatabaseAway:
                self._since = since
                await self._sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
