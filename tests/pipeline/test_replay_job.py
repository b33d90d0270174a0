"""A replay as a job: carried out in processes of its own, told, cancelled, taken up again after a death."""

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from replay_world import DICTIONARY, SINCE, UNTIL, Past, Told, store

from app.domain.facts import Row
from app.domain.replay import Change, Tally
from app.domain.ruleset import DEFAULT
from app.domain.snapshot import Entity
from app.pipeline.replay import Replayer
from app.store import dictionary, dictionary_document, replays, rulesets
from app.store.database import Database
from app.store.recorded_cards import START, Period, Place
from app.store.replays import Replay, ReplayCard
from app.store.ruleset_document import ruleset_to_document

pytestmark = pytest.mark.anyio

DRAFT = {
    **ruleset_to_document(DEFAULT),
    "client": [{"fact": "steam_tph", "operator": "over", "number": "20", "codes": []}],
}


def lead(card_id: int) -> Told:
    raw = {
        "id": card_id,
        "title": "Boilers",
        "companyTitle": "Plant",
        "UF_CRM_OGON_STEAM_TPH": str(card_id),
        "UF_CRM_OGON_TURNOVER": "2000000000",
        "UF_CRM_OGON_INDUSTRY": "MANUFACTURING",
        "UF_CRM_OGON_REQUEST_FIT": "41",
    }
    runs = (Past(1, 1, "done"),)
    rows: tuple[Row, ...] = ()
    return Told(Entity.LEAD, card_id, raw, {}, None, rows, (), runs, "JUNK", "final", 12, 11, None, None, True)


@pytest.fixture
async def portal_id(database: Database, database_conninfo: str) -> int:
    """Forty leads with 1 to 40 t/h, judged by the default rules."""
    with psycopg.connect(database_conninfo, autocommit=True) as connection:
        row: Any = connection.execute(
            "INSERT INTO portals (name, domain, webhook_url_encrypted, application_tokens_encrypted)"
            " VALUES ('p', 'p.example', '', '') RETURNING id"
        ).fetchone()
        store(connection, row[0], [lead(number) for number in range(1, 41)], {1: DEFAULT})
    async with database.writing() as session:
        await rulesets.publish(
            session,
            portal_id=row[0],
            edited_version=0,
            document=ruleset_to_document(DEFAULT),
            author="ogon",
            reason="first",
        )
        document = dictionary_document.to_json(DICTIONARY)
        await dictionary.save(session, portal_id=row[0], document=document, read_at=SINCE)
    return row[0]


async def ask(database: Database, portal_id: int) -> Replay:
    async with database.writing() as session:
        return await replays.ask(session, portal_id=portal_id, draft=DRAFT, since=SINCE, until=UNTIL, by="tests")


async def known(database: Database, replay_id: int) -> Replay:
    async with database.reading() as session:
        replay = await replays.get(session, replay_id)
    assert replay is not None
    return replay


async def test_two_processes_carry_it_out(database: Database, portal_id: int) -> None:
    asked = await ask(database, portal_id)
    assert await Replayer(database, processes=2, page=7).step()
    assert not await Replayer(database).step(), "nothing is left to do"
    done = await known(database, asked.id)
    assert (done.state, done.error, done.looked, done.total) == ("done", None, 40, 40)
    tally = Tally.from_json(done.tally)
    assert dict(tally.cells) == {
        Change(1, "review", "review"): 3,
        Change(1, "deal", "review"): 17,
        Change(1, "deal", "deal"): 20,
    }
    assert dict(tally.truths) == {(Change(1, "deal", "review"), "junk"): 17}
    async with database.reading() as session:
        first = await replays.cards(session, asked.id, limit=10)
        rest = await replays.cards(session, asked.id, beyond=Place(1, first[-1].card_id))
        none = await replays.cards(session, asked.id, before="review")
    assert [card.card_id for card in (*first, *rest)] == list(range(4, 21))
    assert none == []


async def test_a_cancelled_one_stops_and_keeps_what_it_counted(database: Database, portal_id: int) -> None:
    asked = await ask(database, portal_id)
    work = asyncio.create_task(Replayer(database, processes=1, page=1).step())
    while (await known(database, asked.id)).total is None:  # noqa: ASYNC110 - the job tells nobody but the database
        await asyncio.sleep(0.02)
    async with database.writing() as session:
        assert await replays.cancel(session, asked.id)
        assert not await replays.cancel(session, asked.id)
    async with asyncio.timeout(180):
        assert await work
    ended = await known(database, asked.id)
    assert ended.state == "cancelled"
    assert ended.looked == Tally.from_json(ended.tally).compared < 40


async def test_a_stopped_worker_hands_it_on_and_nothing_counts_twice(database: Database, portal_id: int) -> None:
    asked = await ask(database, portal_id)
    work = asyncio.create_task(Replayer(database, processes=1, page=1).step())
    while (await known(database, asked.id)).looked < 2:  # noqa: ASYNC110 - the same
        await asyncio.sleep(0.02)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    between = await known(database, asked.id)
    assert between.state == "waiting"
    assert await Replayer(database, processes=1).step()
    done = await known(database, asked.id)
    assert (done.state, done.attempt, done.looked, done.total) == ("done", 2, 40, 40)
    assert Tally.from_json(done.tally).compared == 40


async def test_who_was_thought_dead_writes_no_more(database: Database, portal_id: int) -> None:
    asked = await ask(database, portal_id)
    tally = Tally().to_json()
    found = [ReplayCard(entity_type_id=1, card_id=1, run_id=1, before="a", after="b", gap=None, truth="won")]
    async with database.writing() as session:
        first = await replays.take(session, stalled_after=timedelta(seconds=20))
    async with database.writing() as session:
        assert await replays.take(session, stalled_after=timedelta(seconds=20)) is None, "he lives"
        second = await replays.take(session, stalled_after=timedelta(seconds=0))
    assert first is not None
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)
    async with database.writing() as session:
        assert not await replays.beat(session, first)
        assert not await replays.advance(session, first, place=Place(1, 1), looked=1, tally=tally, found=found)
        assert not await replays.finish(session, first)
        assert await replays.advance(session, second, place=Place(1, 1), looked=1, tally=tally, found=found)
    async with database.reading() as session:
        assert len(await replays.cards(session, asked.id)) == 1


async def test_a_draft_that_cannot_be_read_fails_it_with_a_reason(database: Database, portal_id: int) -> None:
    async with database.writing() as session:
        asked = await replays.ask(
            session, portal_id=portal_id, draft={"version": 1, "client": 5}, since=SINCE, until=UNTIL, by="tests"
        )
    assert await Replayer(database, processes=1).step()
    failed = await known(database, asked.id)
    assert failed.state == "failed"
    assert "ended" in str(failed.error)


async def test_an_empty_period_is_done_at_once(database: Database, portal_id: int) -> None:
    async with database.writing() as session:
        later = UNTIL + timedelta(days=300)
        asked = await replays.ask(session, portal_id=portal_id, draft=DRAFT, since=later, until=later, by="tests")
    assert await Replayer(database).step()
    done = await known(database, asked.id)
    assert (done.state, done.total) == ("done", 0)


async def test_old_ones_make_room(database: Database, portal_id: int) -> None:
    asked = [await ask(database, portal_id) for _ in range(3)]
    async with database.writing() as session:
        for one in asked:
            await replays.cancel(session, one.id)
    for _ in range(replays.KEPT - 1):
        await ask(database, portal_id)
    async with database.reading() as session:
        kept = [one.id for one in await replays.latest(session, portal_id, limit=100)]
    assert len(kept) == replays.KEPT
    assert asked[2].id in kept
    assert asked[0].id not in kept


async def test_pages_cover_every_card_once(database: Database, portal_id: int) -> None:
    async with database.reading() as session:
        pages = await replays.pages(session, Period(portal_id, SINCE, UNTIL), after=START, size=7)
        rest = await replays.pages(session, Period(portal_id, SINCE, UNTIL), after=Place(1, 35), size=7)
    assert [place.card_id for place, _ in pages.ends] == [7, 14, 21, 28, 35, 40]
    assert pages.total == 40
    assert rest.ends == ((Place(1, 40), 5),)
