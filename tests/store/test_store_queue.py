"""The queue's own statements beside procrastinate's tables: what is collapsed, whose queue it is, what is set free."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.store import journal
from app.store.queue import TASK, dispatch, queue_of, release_stalled

pytestmark = pytest.mark.anyio

_AT_ONCE = timedelta(0)
_STALE = timedelta(seconds=20)


async def test_hints_of_a_card_become_one_job_on_its_portals_queue(database):
    await _heard(database, (1, 1, 7, 1), (1, 1, 7, 0), (2, 1, 7, 2), (1, 2, 9, 2))
    assert await _jobs(database) == [
        ("portal:1", "card:1:1:7", 20, "todo"),
        ("portal:1", "card:1:2:9", 0, "todo"),
        ("portal:2", "card:2:1:7", 0, "todo"),
    ]
    await _heard(database, (1, 2, 9, 0))
    assert ("portal:1", "card:1:2:9", 20, "todo") in await _jobs(database), "the waiting job is as urgent as its hints"


async def test_a_portal_takes_only_its_own_and_a_running_card_waits(database):
    await _heard(database, (1, 1, 7, 1), (2, 1, 8, 0))
    async with database.writing() as session:
        worker = await _worker(session)
        taken = await _fetch(session, worker, 1)
        assert taken == "card:1:1:7"
        assert await _fetch(session, worker, 1) is None
    await _heard(database, (1, 1, 7, 0))
    async with database.writing() as session:
        assert await _fetch(session, worker, 1) is None, "its twin is being judged"
        assert await _fetch(session, worker, 2) == "card:2:1:8"


@pytest.mark.parametrize("how", ["silent", "gone", "left behind"])
async def test_cards_that_nobody_works_on_are_set_free_and_no_others(database, how):
    await _heard(database, (1, 1, 7, 0), (1, 1, 8, 2))
    async with database.writing() as session:
        lost, living = await _worker(session), await _worker(session)
        await _fetch(session, lost, 1)
        await _fetch(session, living, 1)
        left = []
        if how == "silent":
            await session.execute(
                text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute' WHERE id = :id"),
                {"id": lost},
            )
        elif how == "gone":
            await session.execute(text("DELETE FROM procrastinate_workers WHERE id = :id"), {"id": lost})
        else:
            left = list(
                await session.scalars(text("SELECT id FROM procrastinate_jobs WHERE worker_id = :id"), {"id": lost})
            )
    async with database.writing() as session:
        assert await release_stalled(session, older_than=_STALE, left=left) == 1
        assert await release_stalled(session, older_than=_STALE, left=left) == 0
    assert await _jobs(database) == [("portal:1", "card:1:1:8", 0, "doing")]
    async with database.reading() as session:
        (told,) = [one for one in await journal.recent(session, portal_id=1, limit=10) if one.source == "timer"]
    assert (told.card_id, told.lane, told.dispatched_at) == (7, 0, None)


async def _heard(database, *cards: tuple[int, int, int, int]) -> None:
    entries = [
        journal.NewEntry(source="webhook", event="X", portal_id=portal, entity_type_id=kind, card_id=card, lane=lane)
        for portal, kind, card, lane in cards
    ]
    async with database.writing() as session:
        await journal.append(session, entries)
    async with database.writing() as session:
        await dispatch(session, settle=_AT_ONCE)


async def _jobs(database) -> list[tuple[str, str, int, str]]:
    async with database.reading() as session:
        rows = await session.execute(
            text("SELECT queue_name, lock, priority, status::text FROM procrastinate_jobs ORDER BY lock")
        )
        return [tuple(row) for row in rows]


async def _worker(session) -> int:
    return await session.scalar(text("SELECT worker_id FROM procrastinate_register_worker_v1()"))


async def _fetch(session, worker: int, portal: int) -> str | None:
    """What procrastinate's worker of the portal would take next."""
    fetched = await session.execute(
        text("SELECT lock, task_name FROM procrastinate_fetch_job_v2(:queues, :worker)"),
        {"queues": [queue_of(portal)], "worker": worker},
    )
    lock, task = fetched.one()
    assert task in {TASK, None}
    return lock
