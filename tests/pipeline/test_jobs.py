"""The consumer of the queue: each portal's own places, and no card held by a job whose end went wrong."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import anyio
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from app.bitrix24.lanes import Lane
from app.pipeline.card import CardRef
from app.pipeline.jobs import CardQueue, Judge, open_queue
from app.pipeline.lease import Lease
from app.store import journal
from app.store.database import Database, DatabaseAway
from app.store.queue import dispatch, release_stalled

pytestmark = pytest.mark.anyio

_LEFT = text("SELECT count(*) FROM procrastinate_jobs")
# What a connection does that breaks while a job is taken off the queue; the next one works again.
_BREAK = (
    "CREATE SEQUENCE broken",
    """
    CREATE FUNCTION break_once() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('broken') = 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'connection_failure';
        END IF;
        RETURN OLD;
    END $$
    """,
    "CREATE TRIGGER break_once BEFORE DELETE ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION break_once()",
)


async def test_a_job_whose_end_could_not_be_written_frees_its_card(database: Database) -> None:
    judged = asyncio.Event()

    async def judge(_card: CardRef, _lane: Lane, _job: int | None) -> None:
        judged.set()

    async with _consuming(database, judge) as queue:
        async with database.writing() as session:
            for statement in _BREAK:
                await session.execute(text(statement))
        await _heard(database, portal_id=1)
        await judged.wait()
        await _until(lambda: _told(queue.left()))
        await _freed(database, queue)


async def test_a_card_that_could_not_be_handed_back_is_freed(database: Database) -> None:
    async def judge(_card: CardRef, _lane: Lane, _job: int | None) -> None:
        raise DatabaseAway

    async with _consuming(database, judge) as queue:
        await _heard(database, portal_id=1)
        await _until(lambda: _told(queue.left()))
        await _freed(database, queue)


async def test_cards_of_another_portal_wait_for_their_own_consumer(database: Database) -> None:
    judged: list[int] = []

    async def judge(card: CardRef, _lane: Lane, _job: int | None) -> None:
        judged.append(card.portal_id)
        await asyncio.sleep(3600 if card.portal_id == 1 else 0)

    async with _consuming(database, judge, portals=(1, 2)):
        for card_id in range(3):
            await _heard(database, portal_id=1, card_id=card_id + 1)
        await _heard(database, portal_id=2)
        await _until(lambda: _told(2 in judged))
    assert judged.count(1) == 1, "one at a time was allowed"


@contextlib.asynccontextmanager
async def _consuming(database: Database, judge: Judge, *, portals: tuple[int, ...] = (1,)) -> AsyncIterator[CardQueue]:
    conninfo = SecretStr(database.conninfo.get_secret_value())
    async with open_queue(conninfo, judge, Lease(60, clock=time.monotonic)) as queue:
        running = [asyncio.create_task(queue.consume(one, concurrency=1, grace=0.1)) for one in portals]
        yield queue
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def _heard(database: Database, *, portal_id: int, card_id: int = 7) -> None:
    entry = journal.NewEntry(source="webhook", event="X", portal_id=portal_id, entity_type_id=1, card_id=card_id)
    async with database.writing() as session:
        await journal.append(session, [entry])
    async with database.writing() as session:
        await dispatch(session, settle=timedelta(0))


async def _freed(database: Database, queue: CardQueue) -> None:
    """What the recovery of a worker does, and that it sets the card free."""
    left = queue.left()
    async with database.writing() as session:
        assert await release_stalled(session, older_than=timedelta(hours=1), left=left) == 1
    queue.released(left)
    assert queue.left() == []
    async with database.reading() as session:
        assert await session.scalar(_LEFT) == 0


async def _told(value: object) -> bool:
    return bool(value)


async def _until(true: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(180):
        while not await true():  # noqa: ASYNC110 - the database tells nobody
            await anyio.sleep(0.02)
