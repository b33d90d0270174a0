"""The worker process: consume the queue, feed it from the journal, fire timers, free the work of dead workers,
sweep the portals, know their people, judge open cards again by new rules, have some rejections looked at twice, try
drafts of rules on recorded cards, send digests, delete what is too old.

Built by the CLI (`ogon worker`, or beside the web in `ogon serve`). It wires; the story of one card is
`app/pipeline/process.py`. Each loop here is supervised: a fault is logged and the loop starts again, because a worker
that stands still looks like a quiet day.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from app.bitrix24.client import READ_TIMEOUT
from app.pipeline.connections import Connections
from app.pipeline.contacts import Contacts
from app.pipeline.digests import Digests
from app.pipeline.jobs import GRACE_SECONDS, HEARTBEAT_SECONDS, STALLED_SECONDS, CardQueue, open_queue
from app.pipeline.lease import Lease
from app.pipeline.process import Process
from app.pipeline.recomputing import Recomputing
from app.pipeline.replay import Replayer
from app.pipeline.second_looks import SecondLooks
from app.pipeline.segment_round import SegmentRound
from app.pipeline.sweeper import Sweeper, SweepPlan
from app.pipeline.team_watch import TeamWatch
from app.pipeline.usage import UsageCount
from app.settings import Settings
from app.store import effects, journal, portals, rejudging, timers
from app.store.claims import Claims
from app.store.database import Database
from app.store.queue import dispatch, release_stalled, something_waits
from app.store.retention import trim
from app.store.secret_box import secret_box

_log = structlog.get_logger()

_AFTER_FAULT = 2.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often the loops turn, in seconds; the stories that tests tell are told faster.

    `settle`: how long the oldest hint of a card waits for the rest of its burst, since one save in the portal raises
    several events. `heartbeat`, `stalled`: how often a worker shows that it lives, and after what silence it is dead.
    `grace`: how long cards under way may take to finish when the worker is stopped. `portals`: how soon a new portal
    is served. `silence`: how long a portal may take to answer one request.
    """

    settle: float = 0.4
    dispatch: float = 0.1
    timers: float = 1.0
    contacts: float = 0.5
    reactions: float = 1.0
    recovery: float = 10.0
    sweep: float = 2.0
    usage: float = 5.0
    team: float = 30.0
    rejudging: float = 1.0
    second_looks: float = 300.0
    segments: float = 300.0
    digests: float = 60.0
    effects: float = 300.0
    replays: float = 1.0
    tidy: float = 60.0
    heartbeat: float = HEARTBEAT_SECONDS
    stalled: float = STALLED_SECONDS
    grace: float = GRACE_SECONDS
    portals: float = 2.0
    silence: float = READ_TIMEOUT


STEADY = Rhythm()


async def run_worker(
    settings: Settings, database: Database, *, rhythm: Rhythm = STEADY, clock: Callable[[], datetime] | None = None
) -> None:
    """Work until cancelled; then finish or hand back what is under way within about ten seconds.

    `clock` tells what time it is to whoever reckons in working time and days; a story may be told faster.
    """
    now = clock or _now
    # Ours for less long than the others wait: who was silent for so long must not find out too late.
    lease = Lease(rhythm.stalled - rhythm.heartbeat, clock=time.monotonic)
    async with (
        Connections(
            database, secret_box(settings), clock=now, read_timeout=rhythm.silence, epoch=lease.number
        ) as connections,
        Claims(database.conninfo) as claims,
    ):
        process = Process(database, connections, claims, live=settings.mode == "live", clock=now)
        sweeper = Sweeper(database, connections, _sweep_plan(settings), now=now)
        usage = UsageCount(database, connections, now=now)
        watch = TeamWatch(database, connections, now=now)
        replayer = Replayer(database)
        contacts = Contacts(database, connections, now, timedelta(seconds=rhythm.contacts))
        recomputing = Recomputing(database, live=settings.mode == "live")
        looks = SecondLooks(database, connections, settings.second_looks_per_week, now=now, seed=_lot)
        async with (
            open_queue(database.conninfo, process.judge, lease) as queue,
            sweeper,
            usage,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(_consume_all(queue, database, settings, rhythm))
            group.create_task(_every(rhythm.dispatch, "dispatcher", lambda: _dispatch(database, rhythm)))
            group.create_task(_every(rhythm.timers, "timers", lambda: _fire_timers(database, now())))
            group.create_task(_every(rhythm.contacts, "contacts", contacts.step))
            group.create_task(_every(rhythm.reactions, "reactions", lambda: recomputing.step(now=now())))
            group.create_task(_every(rhythm.recovery, "recovery", lambda: _recover(queue, database, rhythm)))
            group.create_task(_every(rhythm.usage, "usage", usage.write))
            group.create_task(_every(rhythm.team, "team", watch.step))
            group.create_task(_every(rhythm.rejudging, "rejudging", lambda: _rejudge(database)))
            group.create_task(_every(rhythm.second_looks, "second looks", looks.step))
            if settings.mode == "live":
                group.create_task(_every(rhythm.segments, "segments", SegmentRound(database, now).step))
            if settings.mode == "live" and settings.digest_at is not None:
                digests = Digests(database, connections, settings.digest_at, settings.public_url, now)
                group.create_task(_every(rhythm.digests, "digests", digests.step))
            group.create_task(_every(rhythm.effects, "effects", lambda: _tell_effects(database)))
            group.create_task(_every(rhythm.replays, "replays", replayer.step))
            group.create_task(_every(rhythm.tidy, "retention", lambda: _tidy(settings, database)))
            if settings.sweep_every:
                group.create_task(_every(rhythm.sweep, "sweep", sweeper.step))


def _sweep_plan(settings: Settings) -> SweepPlan:
    return SweepPlan(
        every=timedelta(seconds=settings.sweep_every), open_since=timedelta(days=settings.sweep_since_days)
    )


async def _consume_all(queue: CardQueue, database: Database, settings: Settings, rhythm: Rhythm) -> None:
    """A consumer for each portal, those that are added later too."""
    served: set[int] = set()
    async with asyncio.TaskGroup() as group:

        async def serve_new_ones() -> None:
            async with database.reading() as session:
                known = {portal.id for portal in await portals.list_portals(session)}
            for portal_id in sorted(known - served):
                served.add(portal_id)
                group.create_task(_consume(queue, portal_id, settings, rhythm))

        group.create_task(_every(rhythm.portals, "portals", serve_new_ones))


async def _consume(queue: CardQueue, portal_id: int, settings: Settings, rhythm: Rhythm) -> None:
    async def consume() -> None:
        await queue.consume(
            portal_id,
            concurrency=settings.worker_concurrency,
            heartbeat=rhythm.heartbeat,
            stalled_after=rhythm.stalled,
            grace=rhythm.grace,
        )

    await _supervised(f"queue of portal {portal_id}", consume)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - a root reads the clock and hands it down


async def _dispatch(database: Database, rhythm: Rhythm) -> None:
    async with database.autocommitting() as connection:
        if not await something_waits(connection):
            return
    async with database.writing() as session:
        await dispatch(session, settle=timedelta(seconds=rhythm.settle))


async def _fire_timers(database: Database, now: datetime) -> None:
    async with database.writing() as session:
        due = await timers.take_due(session, now=now)
        await journal.append(
            session,
            [
                journal.NewEntry(
                    source="timer",
                    event=timer.reason.upper(),
                    portal_id=timer.portal_id,
                    entity_type_id=timer.entity_type_id,
                    card_id=timer.card_id,
                    lane=timer.lane,
                )
                for timer in due
            ],
        )


async def _recover(queue: CardQueue, database: Database, rhythm: Rhythm) -> None:
    left = queue.left()
    async with database.writing() as session:
        released = await release_stalled(session, older_than=timedelta(seconds=rhythm.stalled), left=left)
    queue.released(left)
    if released:
        _log.warning("work that was broken off was put back on the queue", cards=released)


def _lot() -> int:
    return secrets.randbits(63)


async def _rejudge(database: Database) -> None:
    await rejudging.step(database)


async def _tell_effects(database: Database) -> None:
    while await effects.step(database, now=_now()):
        pass


async def _tidy(settings: Settings, database: Database) -> None:
    gone = await trim(database, before=_now() - timedelta(days=settings.journal_keep_days))
    if gone:
        _log.info("old journal rows were deleted", rows=gone)


async def _every(seconds: float, name: str, step: Callable[[], Awaitable[object]]) -> None:
    async def loop() -> None:
        while True:
            await step()
            await asyncio.sleep(seconds)

    await _supervised(name, loop)


async def _supervised(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await loop()
        except Exception as error:  # noqa: BLE001 - whatever it was, the loop must go on
            _log.error("a worker loop failed and starts again", loop=name, error=f"{type(error).__name__}: {error}")
        await asyncio.sleep(_AFTER_FAULT)
