"""Running the service: the web, the worker, or both in one process, on one event loop.

Called by the CLI. It opens what both share (settings, database, portals) and ends them in the right order: first no
new deliveries, then the work under way, then the database.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import structlog
import uvicorn

from app.main import create_app
from app.settings import Settings
from app.store import portals
from app.store.database import Database, open_database
from app.store.migrate import migrate
from app.store.rules_in_force import ensure_first_version
from app.store.secret_box import secret_box
from app.worker import run_worker

try:
    from uvloop import new_event_loop
except ImportError:  # not made for every platform
    from asyncio import new_event_loop

_log = structlog.get_logger()

_GRACE_SECONDS = 8


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end on the fastest event loop there is."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work)


@contextlib.asynccontextmanager
async def prepared_database(settings: Settings) -> AsyncGenerator[Database]:
    """The database, migrated, with the portal of the environment and the first rules of every portal in it."""
    async with open_database(settings) as database:
        await migrate(database)
        async with database.writing() as session:
            await portals.ensure_env_portal(session, secret_box(settings), settings)
            for portal in await portals.list_portals(session):
                await ensure_first_version(session, portal.id)
        yield database


async def serve(settings: Settings, *, with_worker: bool) -> None:
    """Answer HTTP until a signal; with the worker beside it unless told otherwise."""
    async with prepared_database(settings) as database:
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(settings, database),
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        working = asyncio.create_task(run_worker(settings, database)) if with_worker else None
        if working is not None:
            # A web without its worker would take leads that nobody judges: better to stop and be started again.
            working.add_done_callback(lambda _: setattr(server, "should_exit", True))
        _log.info("ready", address=f"http://{settings.host}:{settings.port}", worker=with_worker, mode=settings.mode)
        try:
            await server.serve()
        finally:
            if working is not None:
                await _stop(working)


async def work(settings: Settings) -> None:
    """Judge cards until a signal."""
    async with prepared_database(settings) as database:
        working = asyncio.create_task(run_worker(settings, database))
        stopped = asyncio.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
        _log.info("working", mode=settings.mode)
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        await _stop(working)


async def _stop(working: "asyncio.Task[None]") -> None:
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
