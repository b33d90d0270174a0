"""How much of the portals' budgets this process used, added to the day's counters every few seconds.

Called by the worker. The web reads the counters for /metrics; counts of the last seconds are lost with a killed
process: they are figures, not records.
"""

import contextlib
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from app.bitrix24.stats import Stats
from app.pipeline.connections import Connections
from app.store import counters
from app.store.database import Database, DatabaseAway

NAMES: Final = {
    "requests": "portal_requests",
    "commands": "portal_commands",
    "rate_limited": "portal_503",
    "operating_limited": "portal_429",
    "faults": "portal_faults",
}
"""Fields of a client's `Stats`, and what they are called among the counters."""


class UsageCount:
    """Remembers what of each client's counts was written; an async context that writes the rest at its end."""

    def __init__(self, database: Database, connections: Connections, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._connections = connections
        self._now = now
        self._written: dict[tuple[int, str], tuple[Stats, int]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(DatabaseAway):
            await self.write()

    async def write(self) -> None:
        """Add what was counted since the last time. Raises DatabaseAway, and then adds it the next time."""
        counted = {
            (connection.portal.id, field): (connection.client.stats, getattr(connection.client.stats, field))
            for connection in self._connections.live()
            for field in NAMES
        }
        more = {key: value - self._known(key, stats) for key, (stats, value) in counted.items()}
        if not any(more.values()):
            return
        async with self._database.writing() as session:
            for (portal_id, field), by in sorted(more.items()):
                if by:
                    await counters.add(session, NAMES[field], day=self._now().date(), portal_id=portal_id, by=by)
        self._written.update(counted)

    def _known(self, key: tuple[int, str], stats: Stats) -> int:
        """A portal whose webhook changed has a new client, which counts from nothing."""
        known = self._written.get(key)
        return known[1] if known is not None and known[0] is stats else 0
