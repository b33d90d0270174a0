"""Running the service: the web, the worker, or both in one process, on one event loop.

Called by the CLI. It opens what both share (settings, database, portals) and ends them in the right order: first no
new deliveries, then the work under way, then the database.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from app.store import audit, portals
from app.store.database import Database, open_database
from app.store.migrate import migrate
from app.store.rules_in_force import ensure_first_version
from app.store.secret_box import secret_box
from app.web.short_heads import protocol
from app.worker import STEADY, Rhythm, run_worker

try:
    from uvloop import new_event_loop
except ImportError:  # not made for every platform
    from asyncio import new_event_loop

_log = structlog.get_logger()

_GRACE_SECONDS = 6


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
            known = {portal.id for portal in await portals.list_portals(session)}
            portal = await portals.ensure_env_portal(session, secret_box(settings), settings)
            if portal is not None and portal.id not in known:
                await audit.note(
                    session, who="environment", what="portal.added", subject=portal.domain, portal_id=portal.id
                )
            for portal in await portals.list_portals(session):
                await ensure_first_version(session, portal.id)
        yield database


def server_config(settings: Settings, app: FastAPI) -> uvicorn.Config:
    """How the web process is served."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol,
        log_config=None,
        # A stranger's broken request is worth no line: thousands a second would fill the disk.
        log_level="error",
        access_log=False,
        server_header=False,
        # Else everybody could choose for each request where it comes from, and so never be made to wait.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


async def serve(settings: Settings, *, with_worker: bool, rhythm: Rhythm = STEADY) -> None:
    """Answer HTTP until a signal; with the worker beside it unless told otherwise."""
    async with prepared_database(settings) as database:
        server = _Server(server_config(settings, create_app(settings, database)))
        # What was loaded so far stays for good: not looking through it again and again spares pauses of 90 ms.
        gc.collect()
        gc.freeze()
        tasks = [asyncio.create_task(server.serve(), name="web")]
        if with_worker:
            tasks.append(asyncio.create_task(run_worker(settings, database, rhythm=rhythm), name="worker"))
        _log.info("ready", address=f"http://{settings.host}:{settings.port}", worker=with_worker, mode=settings.mode)
        await _until_stopped(tasks, stop=server.stop)


async def work(settings: Settings, *, rhythm: Rhythm = STEADY) -> None:
    """Judge cards until a signal."""
    async with prepared_database(settings) as database:
        tasks = [asyncio.create_task(run_worker(settings, database, rhythm=rhythm), name="worker")]
        _log.info("working", mode=settings.mode)
        await _until_stopped(tasks)


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to us: its own handling ends the process before the worker could finish."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    def stop(self) -> None:
        """Take no new connections and end."""
        self.should_exit = True


async def _until_stopped(tasks: list["asyncio.Task[None]"], *, stop: Callable[[], None] = lambda: None) -> None:
    """Wait for a signal or for a task's end, then end all of them at once.

    A web without its worker would take leads that nobody judges; better to stop as a whole and be started again.
    Raises what a task failed with.
    """
    signalled = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signalled.set)
    waiting = asyncio.create_task(signalled.wait())
    await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    stop()
    for task in tasks:
        if task.get_name() == "worker":
            task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
            raise ended
