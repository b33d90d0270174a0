"""The one consumer of the queue: procrastinate's worker, wired to judge one card per job.

Called by `app/worker.py`. The task never raises: what to do about a failure is decided by `retry.py` and kept in our
tables, because a library retry of a coalesced job can hold the card's lock for ever (docs/adr/0002).
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from procrastinate import App, JobContext, PsycopgConnector
from pydantic import SecretStr

from app.bitrix24.lanes import Lane
from app.domain.snapshot import Entity
from app.pipeline.card import CardRef
from app.store.queue import QUEUE, TASK, lane_of

HEARTBEAT_SECONDS = 5
STALLED_SECONDS = 20
GRACE_SECONDS = 8
# A released lock wakes nobody: the next job of the same card is found by polling.
_POLL_SECONDS = 0.25

Judge = Callable[[CardRef, Lane], Awaitable[None]]


@asynccontextmanager
async def open_queue(conninfo: SecretStr, judge: Judge) -> AsyncGenerator[App]:
    """The queue with its one task, on a small pool of its own."""
    queue = App(
        connector=PsycopgConnector(conninfo=conninfo.get_secret_value(), min_size=1, max_size=6),
    )

    @queue.task(name=TASK, queue=QUEUE, pass_context=True)
    async def judge_card(context: JobContext, *, portal_id: int, entity_type_id: int, card_id: int) -> None:
        await judge(CardRef(portal_id, Entity(entity_type_id), card_id), Lane(lane_of(context.job.priority)))

    assert judge_card.name == TASK
    async with queue.open_async():
        yield queue


async def consume(
    queue: App,
    *,
    concurrency: int,
    heartbeat: float = HEARTBEAT_SECONDS,
    stalled_after: float = STALLED_SECONDS,
    grace: float = GRACE_SECONDS,
) -> None:
    """Judge cards until cancelled; then let running ones finish for `grace` seconds."""
    await queue.run_worker_async(
        queues=[QUEUE],
        concurrency=concurrency,
        fetch_job_polling_interval=_POLL_SECONDS,
        delete_jobs="always",
        install_signal_handlers=False,
        shutdown_graceful_timeout=grace,
        update_heartbeat_interval=heartbeat,
        stalled_worker_timeout=stalled_after,
    )
