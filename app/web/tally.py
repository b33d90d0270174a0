"""Counts of what leaves no row, above all refused deliveries: kept in memory, written every few seconds.

So a flood of bad requests costs one small UPSERT per kind and not one row per request. Counts of the last
seconds are lost when the process is killed; they are figures, not records.
"""

from collections import Counter
from collections.abc import Awaitable, Callable

NO_PORTAL = 0


class Tally:
    """Adds up counts by name and portal until `flush` hands them on."""

    def __init__(self, write: Callable[[dict[tuple[str, int], int]], Awaitable[None]]) -> None:
        """`write` adds the counts, by (name, portal id), to the stored ones; it may raise DatabaseAway."""
        self._write = write
        self._counts: Counter[tuple[str, int]] = Counter()

    def count(self, name: str, portal_id: int = NO_PORTAL) -> None:
        """One more of `name`; names are a small fixed set, never made of input."""
        self._counts[name, portal_id] += 1

    async def flush(self) -> None:
        """Hand on what was counted; what can't be written stays for the next time."""
        if not self._counts:
            return
        taken, self._counts = self._counts, Counter()
        try:
            await self._write(dict(taken))
        except BaseException:
            self._counts.update(taken)
            raise
