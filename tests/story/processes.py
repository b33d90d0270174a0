"""A portal and the service beside it as several real processes, for stories in which one of them, or what they stand
on, is taken away."""

import contextlib
from collections.abc import AsyncIterator

import httpx

from app.sandbox.limits import Limits
from app.settings import Settings
from app.store.database import Database
from tests.chaos.fleet import Fleet
from tests.story.house import Story, portal_with_fields, ready_for, settled_in

_WORKER = ("-m", "tests.story.worker_process")


@contextlib.asynccontextmanager
async def told_by_processes(
    settings: Settings, database: Database, *, limits: Limits, webs: int, workers: int, sweep_every: int = 0
) -> AsyncIterator[tuple[Story, Fleet]]:
    """A story without a worker of its own; deliveries go to the webs in turn. `settings` lead to `database`."""
    async with portal_with_fields() as served:
        portal = served.portal
        rate = {"bitrix24_requests_per_second": limits.requests_per_second, "bitrix24_burst": limits.burst}
        ready = ready_for(served, settings, sweep_every=sweep_every, **rate)
        portal_id = await settled_in(database, ready)
        portal.limits = limits
        portal.reset_stats()
        with Fleet(ready, webs=webs, workers=workers, worker=_WORKER) as fleet:
            await fleet.start()
            portal.world.subscriptions.append(fleet.balancer())
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{fleet.webs[0].port}", trust_env=False) as http:
                yield Story(portal, database, ready, portal_id, http), fleet
            portal.unsubscribe()
