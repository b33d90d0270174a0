"""What the worker does for every portal: one that is dead, slow or odd never holds back the others."""

from collections.abc import Awaitable, Callable

import structlog

from app.pipeline.reads import together
from app.store import portals
from app.store.database import Database, DatabaseAway
from app.store.portals import Portal

_log = structlog.get_logger()


async def each_portal(database: Database, do: Callable[[Portal], Awaitable[None]], *, failed: str) -> None:
    """Do it for all portals that are on, side by side. `failed`: what the log says of one where it did not work.

    Raises DatabaseAway.
    """

    async def guarded(portal: Portal) -> None:
        try:
            await do(portal)
        except DatabaseAway:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning(failed, portal=portal.id, error=str(error) or type(error).__name__)

    async with database.reading() as session:
        known = await portals.list_portals(session, enabled_only=True)
    async with together() as group:
        for portal in known:
            group.create_task(guarded(portal))
