"""What access leaves behind: when a token was last used, how many attempts failed, from where they came in bursts.

Gathered in memory by `access.py` and `sign_in.py` and written every few seconds, so that no request waits for it and
a flood of guesses makes few rows. What is not written when the process is killed is lost: figures, not proofs.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import datetime

from app.errors import OgonError
from app.store import audit, tokens
from app.store.database import Database
from app.store.tokens import Token
from app.web.periodic import every
from app.web.tally import Tally
from app.web.throttle import Throttle

FLUSH_SECONDS = 2.0
BURST_SECONDS = 60.0
"""Bursts are noted at most so often: entries of the audit log cannot be removed again."""
_NAMED = 20


class Visits:
    """One per web process; `clock` gives the time of day, with offset."""

    def __init__(self, database: Database, tally: Tally, throttle: Throttle, clock: Callable[[], datetime]) -> None:
        self.throttle = throttle
        self._database = database
        self._tally = tally
        self._clock = clock
        self._used: dict[int, datetime] = {}
        self._bursts: list[str] = []
        self._burst_count = 0
        self._noted_at: datetime | None = None

    def used(self, token: Token) -> None:
        """The token has just opened something."""
        now = self._clock()
        if token.wants_touch(now):
            self._used[token.id] = now

    def failed(self, source: str) -> None:
        """A wrong token or ticket came from there."""
        self._tally.count("access_failed")
        if self.throttle.failed(source):
            self._burst_count += 1
            if len(self._bursts) < _NAMED:
                self._bursts.append(source)

    def refused(self) -> None:
        """An attempt was not even looked at."""
        self._tally.count("access_throttled")

    async def flush(self) -> None:
        """Write what was gathered; what can't be written stays for the next time."""
        await self._write_used()
        now = self._clock()
        if self._bursts and (self._noted_at is None or (now - self._noted_at).total_seconds() >= BURST_SECONDS):
            await self._note_bursts()
            self._noted_at = now

    async def _write_used(self) -> None:
        if not self._used:
            return
        taken, self._used = self._used, {}
        try:
            async with self._database.writing() as session:
                for token_id, at in sorted(taken.items()):
                    await tokens.touch(session, token_id, now=at)
        except BaseException:
            self._used = taken | self._used
            raise

    async def _note_bursts(self) -> None:
        taken, self._bursts = self._bursts, []
        count, self._burst_count = self._burst_count, 0
        detail = {"sources": taken, "source_count": count}
        try:
            async with self._database.writing() as session:
                await audit.note(session, who="ogon", what="access.burst", subject=taken[0], detail=detail)
        except BaseException:
            self._bursts = (taken + self._bursts)[:_NAMED]
            self._burst_count += count
            raise

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write every few seconds, and once more at the end."""
        task = asyncio.create_task(every(FLUSH_SECONDS, self.flush), name="flush-visits")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            with contextlib.suppress(OgonError):
                await self.flush()
