"""The one consumer of the queue: procrastinate's workers, wired to judge one card per job, one worker for each portal.

Called by `app/worker.py`. What to do about a failure is decided by `retry.py` and kept in our tables, because a library
retry of a coalesced job can hold the card's lock for ever (docs/adr/0002). Each portal has places of its own, so that
the cards of a slow or dead one never take the places of another's.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from pydantic import SecretStr

from app.bitrix24.lanes import Lane
from app.domain.snapshot import Entity
from app.pipeline.card import CardRef
from app.pipeline.lease import Lease
from app.store.database import KEPT_ALIVE
from app.store.queue import TASK, lane_of, queue_of

HEARTBEAT_SECONDS = 5
STALLED_SECONDS = 20
GRACE_SECONDS = 6
# A released lock wakes nobody: the next job of the same card is found by polling.
_POLL_SECONDS = 0.25
# Short, since the pool tries to connect ever more rarely until it gives up; the next one who asks begins anew.
_POOL_SECONDS = 10.0
_CONNECT_SECONDS = 5

_log = structlog.get_logger()

Judge = Callable[[CardRef, Lane, int | None], Awaitable[None]]
"""Judges a card; the number is of the job that holds the card meanwhile."""


class _Jobs(JobManager):
    """The library's own dealings with its tables, made so that a connection that breaks harms no card."""

    def __init__(self, connector: PsycopgConnector, lease: Lease) -> None:
        super().__init__(connector)
        self.left: list[int] = []
        self._lease = lease

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Take the job of a judged card off the queue.

        Any other job, and one whose end could not be written, would hold its card for ever: it is `left` to be
        released through the journal.
        """
        try:
            if status is Status.SUCCEEDED:
                await super().finish_job(job, status, delete_job)
                return
        except ConnectorException as error:
            _log.warning("a finished job could not be taken off the queue", job=job.id, error=str(error))
        if job.id is not None:
            self.left.append(job.id)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Show that the worker lives. A failure must not end the loop that calls this: nobody would notice."""
        began = time.monotonic()
        try:
            await super().update_heartbeat(worker_id)
            self._lease.beat(began)
        except ConnectorException as error:
            _log.warning("a heartbeat could not be written", worker=worker_id, error=str(error))


@dataclass(frozen=True, slots=True)
class CardQueue:
    """The open queue of this process."""

    _app: App
    _jobs: _Jobs

    async def consume(
        self,
        portal_id: int,
        *,
        concurrency: int,
        heartbeat: float = HEARTBEAT_SECONDS,
        stalled_after: float = STALLED_SECONDS,
        grace: float = GRACE_SECONDS,
    ) -> None:
        """Judge the portal's cards until cancelled; then let running ones finish for `grace` seconds."""
        await self._app.run_worker_async(
            queues=[queue_of(portal_id)],
            concurrency=concurrency,
            fetch_job_polling_interval=_POLL_SECONDS,
            delete_jobs="always",
            install_signal_handlers=False,
            shutdown_graceful_timeout=grace,
            update_heartbeat_interval=heartbeat,
            stalled_worker_timeout=stalled_after,
        )

    def left(self) -> list[int]:
        """Jobs that ended here without being taken off the queue; until `released` they hold their cards."""
        return self._jobs.left.copy()

    def released(self, left: Sequence[int]) -> None:
        """These were released."""
        del self._jobs.left[: len(left)]


@asynccontextmanager
async def open_queue(conninfo: SecretStr, judge: Judge, lease: Lease) -> AsyncGenerator[CardQueue]:
    """The queue with its one task, on a small pool of its own. `lease` is told of the heartbeats."""
    connector = PsycopgConnector(
        conninfo=conninfo.get_secret_value(),
        min_size=1,
        max_size=6,
        timeout=_POOL_SECONDS,
        reconnect_timeout=_POOL_SECONDS,
        kwargs={"connect_timeout": _CONNECT_SECONDS, "application_name": "ogon-queue", **KEPT_ALIVE},
    )
    app = App(connector=connector)
    jobs = app.job_manager = _Jobs(connector, lease)

    @app.task(name=TASK, pass_context=True)
    async def judge_card(context: JobContext, *, portal_id: int, entity_type_id: int, card_id: int) -> None:
        card = CardRef(portal_id, Entity(entity_type_id), card_id)
        await judge(card, Lane(lane_of(context.job.priority)), context.job.id)

    assert judge_card.name == TASK
    async with app.open_async():
        yield CardQueue(app, jobs)
