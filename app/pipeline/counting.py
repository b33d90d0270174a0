"""Counts anew what changed, portion by portion, each in a transaction of its own.

Called at the end of a sweep and after a backfill; what a crash leaves is counted by the next call.
"""

from app.store import sweeps, touches
from app.store.database import Database


async def count_changes(database: Database, portal_id: int) -> None:
    """Bring the sums of activity up to what is kept. Raises DatabaseAway.

    Days are the portal's: before its first sweep nobody knows when they begin, and what is kept waits.
    """
    async with database.reading() as session:
        if await sweeps.get(session, portal_id) is None:
            return
    while True:
        async with database.writing() as session:
            if not await touches.follow(session, portal_id):
                return
