"""Keeps what is known of people, departments and working hours fresh, on portals where no card comes too.

Run by `app/worker.py`, which calls `step` twice a minute. The reading is that of the dictionary (`connections.py`): at
the worker's start, hourly, and soon after a card named somebody responsible whom the last reading did not list.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from app.bitrix24.errors import Bitrix24Error
from app.errors import OgonError
from app.pipeline.connections import Connections
from app.store import people, portals
from app.store.database import Database, DatabaseAway

_log = structlog.get_logger()
_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_STRANGERS_EVERY: Final = timedelta(minutes=10)
"""Somebody may stay unknown for good: robots and guests are not listed."""


class TeamWatch:
    """The watch of this process over all portals."""

    def __init__(self, database: Database, connections: Connections, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._connections = connections
        self._now = now
        self._failures: dict[int, int] = {}
        self._not_before: dict[int, datetime] = {}
        self._strangers_at: dict[int, datetime] = {}

    async def step(self) -> None:
        """Look at all portals that are served, side by side. Raises DatabaseAway."""
        async with self._database.reading() as session:
            known = await portals.list_portals(session, enabled_only=True)
        now = self._now()
        due = [portal.id for portal in known if self._not_before.get(portal.id, now) <= now]
        await asyncio.gather(*(self._look(portal_id) for portal_id in due))

    async def _look(self, portal_id: int) -> None:
        try:
            connection = await self._connections.of(portal_id)
            await connection.dictionary()
            if await self._met_strangers(portal_id):
                await connection.dictionary(refresh=True)
        except DatabaseAway:
            raise
        except (Bitrix24Error, OgonError) as error:
            failures = self._failures[portal_id] = self._failures.get(portal_id, 0) + 1
            pause = min(_FIRST_PAUSE * 2 ** min(failures - 1, 16), _LONGEST_PAUSE)
            self._not_before[portal_id] = self._now() + pause
            _log.warning("the people of a portal could not be read", portal=portal_id, error=str(error))
        else:
            self._failures.pop(portal_id, None)

    async def _met_strangers(self, portal_id: int) -> bool:
        now = self._now()
        if now - self._strangers_at.get(portal_id, now - _STRANGERS_EVERY) < _STRANGERS_EVERY:
            return False
        async with self._database.reading() as session:
            met = await people.strangers(session, portal_id)
        if met:
            self._strangers_at[portal_id] = now
        return bool(met)
