"""The queue: procrastinate jobs, one waiting and one running per card, fed from the journal; a queue for each portal.

The journal is the record and the queue only a wake-up (docs/adr/0002). The dispatcher in each worker calls
`dispatch`; nothing else puts jobs on the queue. Here procrastinate's table is touched directly, because its own
deferring aborts the transaction on a card that is already waiting; the minor version is pinned and
`tests/store/test_store_queue.py` holds the columns and the index that this statement leans on.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import OgonError
from app.store import contact_hints, journal
from app.store.contact_hints import EVENTS
from app.store.database import ReadSession, WriteSession
from app.store.models import CardRow

TASK = "judge"


class TakenOver(OgonError):  # noqa: N818 - reads as the state it is
    """The card was given to another worker, since this one had shown no sign of life for too long."""


# Lanes as the journal has them (0 hot, 1 normal, 2 background) to priorities as procrastinate has them.
_PRIORITIES = {0: 20, 1: 10, 2: 0}


_OF_THE_COMPANY_ALONE = frozenset({"timer", "replay"})
"""Who asks in these ways wants the company itself looked at; nothing says that its facts changed."""

_SOMETHING_WAITS = text("SELECT EXISTS (SELECT FROM journal WHERE dispatched_at IS NULL AND rejected IS NULL)")


def queue_of(portal_id: int) -> str:
    """The name of the portal's queue: each portal has one, and workers of its own."""
    return f"portal:{portal_id}"


def lane_of(priority: int) -> int:
    """The lane of a job by its priority."""
    return next((lane for lane, known in _PRIORITIES.items() if known == priority), 1)


async def something_waits(connection: AsyncConnection) -> bool:
    """Whether the journal has undispatched rows: one cheap statement, asked many times a second."""
    return bool((await connection.execute(_SOMETHING_WAITS)).scalar())


async def dispatch(session: WriteSession, *, settle: timedelta, limit: int = 2000) -> int:
    """Turn undispatched journal rows into jobs, in one transaction; returns how many rows were taken.

    Rows of one card are collapsed. A card is dispatched once its oldest row is `settle` old, together with all its
    newer rows, so that the burst which one save in the portal causes is judged once. Several dispatchers may run.
    """
    entries = await journal.take_undispatched(session, limit=limit)
    if not entries:
        return 0
    # The database's clock wrote received_at, so the database's clock tells its age.
    now = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    ripe = {_card(entry) for entry in entries if now - entry.received_at >= settle}
    taken = [entry for entry in entries if _card(entry) in ripe]
    if taken:
        await _enqueue(session, taken)
        await journal.mark_dispatched(session, [entry.id for entry in taken])
    return len(taken)


def _card(entry: journal.Entry) -> tuple[int | None, int | None, int | None]:
    return entry.portal_id, entry.entity_type_id, entry.card_id


async def _enqueue(session: WriteSession, entries: Sequence[journal.Entry]) -> None:
    lanes: dict[tuple[int, int, int], int] = {}
    companies: list[tuple[int, int]] = []
    hinted: list[tuple[int, int]] = []
    for entry in entries:
        match entry:
            case journal.Entry(portal_id=int(portal), entity_type_id=1 | 2 as kind, card_id=int(card)):
                lanes[portal, kind, card] = min(entry.lane, lanes.get((portal, kind, card), entry.lane))
            case journal.Entry(portal_id=int(portal), entity_type_id=4, card_id=int(company)):
                if entry.source not in _OF_THE_COMPANY_ALONE:
                    companies.append((portal, company))
                if entry.source != "sweep":
                    # The sweep lists all companies; those that have a segment are among the open cards found below.
                    lanes.setdefault((portal, 4, company), max(entry.lane, 1))
            case journal.Entry(portal_id=int(portal), event=event, card_id=int(activity)) if event in EVENTS:
                hinted.append((portal, activity))
            case _:
                pass  # kept in the journal for what reads it there: contacts, comments, other objects
    await contact_hints.note(session, hinted)
    for key in await _open_cards_of(session, companies):
        lanes.setdefault(key, 1)
    if not lanes:
        return
    # Sorted, so that two dispatchers never wait for each other's rows crosswise.
    keys = sorted(lanes)
    await session.execute(
        text("""
            INSERT INTO procrastinate_jobs AS job (queue_name, task_name, priority, lock, queueing_lock, args)
            SELECT card.queue, :task, card.priority, card.key, card.key, jsonb_build_object(
                'portal_id', card.portal_id, 'entity_type_id', card.entity_type_id, 'card_id', card.card_id)
            FROM (
                SELECT portal_id, entity_type_id, card_id, priority, queue,
                       format('card:%s:%s:%s', portal_id, entity_type_id, card_id) AS key
                FROM unnest(CAST(:queues AS text[]), CAST(:portals AS bigint[]), CAST(:types AS int[]),
                            CAST(:cards AS bigint[]), CAST(:priorities AS int[]))
                    AS given(queue, portal_id, entity_type_id, card_id, priority)
            ) AS card
            ON CONFLICT (queueing_lock) WHERE status = 'todo'
            DO UPDATE SET priority = GREATEST(job.priority, EXCLUDED.priority)
        """),
        {
            "task": TASK,
            "queues": [queue_of(key[0]) for key in keys],
            "portals": [key[0] for key in keys],
            "types": [key[1] for key in keys],
            "cards": [key[2] for key in keys],
            "priorities": [_PRIORITIES[lanes[key]] for key in keys],
        },
    )


async def _open_cards_of(session: WriteSession, companies: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Cards to judge again because facts of their company may have changed."""
    if not companies:
        return []
    query = select(CardRow.portal_id, CardRow.entity_type_id, CardRow.card_id).where(
        tuple_(CardRow.portal_id, CardRow.company_id).in_(companies), CardRow.state.in_(("open", "parked"))
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


async def waiting_cards(session: ReadSession) -> int:
    """How many cards are on the queue or being judged."""
    counted = await session.execute(text("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"))
    return int(counted.scalar_one())


async def keep(session: WriteSession, job_id: int) -> None:
    """Make sure that the job is still this worker's; until the transaction ends nobody can take it over.

    A worker that was stopped by its machine for a while and goes on must not write for a card that another has now.
    Raises TakenOver.
    """
    kept = text("SELECT FROM procrastinate_jobs WHERE id = :job AND status = 'doing' FOR KEY SHARE")
    if (await session.execute(kept, {"job": job_id})).first() is None:
        raise TakenOver("Another worker has this card now; this one leaves it alone.")


async def release_stalled(session: WriteSession, *, older_than: timedelta, left: Sequence[int] = ()) -> int:
    """Put the cards of dead workers back through the journal and drop their jobs; returns how many.

    A worker is dead when its heartbeat is `older_than` old, or its row is gone. `left` are jobs of a living worker
    that ended there and still stand as being done. Going through the journal instead of resetting the job keeps one
    rule for what is waiting: a twin of the card may already be on the queue.
    """
    freed = await session.execute(
        text("""
            WITH dead AS (
                SELECT id FROM procrastinate_workers WHERE last_heartbeat < clock_timestamp() - CAST(:age AS interval)
            ), lost AS (
                DELETE FROM procrastinate_jobs AS job
                WHERE job.status = 'doing' AND job.task_name = :task
                  AND (job.worker_id IS NULL OR job.worker_id IN (SELECT id FROM dead) OR job.id = ANY(:left))
                RETURNING job.args, job.priority
            )
            INSERT INTO journal (portal_id, source, event, entity_type_id, card_id, lane)
            SELECT (args ->> 'portal_id')::bigint, 'timer', 'WORKER_DIED', (args ->> 'entity_type_id')::int,
                   (args ->> 'card_id')::bigint, CASE WHEN priority >= 20 THEN 0 WHEN priority >= 10 THEN 1 ELSE 2 END
            FROM lost
            RETURNING id
        """),
        {"age": older_than, "task": TASK, "left": list(left)},
    )
    return len(freed.all())
