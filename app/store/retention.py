"""Retention: old journal rows go, a small batch at a time, so that the table keeps its size (docs/adr/0005).

Called by the worker's loop; any number of workers may, one does it. Runs and stage moves are kept for ever.
"""

import asyncio
from datetime import datetime

from sqlalchemy import text

from app.store import journal
from app.store.database import Database, WriteSession

BATCH = 5_000
"""Rows to a transaction: some tens of milliseconds, and no lock that the intake could meet."""
MOST = 500_000
"""Rows to a call: the rest goes with the next one."""
_PAUSE = 0.05
_LOCK = 395_280


async def trim(database: Database, *, before: datetime, batch: int = BATCH, most: int = MOST) -> int:
    """Delete what was handled and arrived before; how many journal rows. Raises DatabaseAway."""
    total = 0
    while total < most:
        async with database.writing() as session:
            if not await _mine(session):
                return total
            gone = await journal.prune(session, before=before, limit=batch)
            if not gone:
                await _trim_small_tables(session, before)
        total += gone
        if gone < batch:
            break
        # The autovacuum that makes room for new rows, and everybody else, get their turn.
        await asyncio.sleep(_PAUSE)
    return total


async def _mine(session: WriteSession) -> bool:
    """Only one process deletes at a time; the lock goes with the transaction."""
    return bool(await session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}))


async def _trim_small_tables(session: WriteSession, before: datetime) -> None:
    """What is told from the journal's rows is kept no longer than they are; fired timers have done their work."""
    await session.execute(
        text("DELETE FROM changed_cards WHERE day < CAST(:before AS date)"), {"before": before.date()}
    )
    await session.execute(text("DELETE FROM timers WHERE fired_at < :before"), {"before": before})
