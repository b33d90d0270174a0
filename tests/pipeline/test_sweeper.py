"""When a portal is swept, by whom, and what a dead one costs the others."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.pipeline.sweeper import Sweeper, SweepPlan
from app.pipeline.usage import UsageCount
from app.store import counters, gaps, portals, sweeps
from app.store.database import DatabaseAway
from app.store.sweeps import Sweep, SweepLocks
from tests.pipeline.sweep_house import LEAD, Clock, House, house_of

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)
PLAN = SweepPlan(every=timedelta(seconds=300), open_since=timedelta(days=30))


def _last(**changes: Any) -> Sweep:
    """A complete sweep that began a minute ago in this process."""
    told: dict[str, Any] = {
        "portal_id": 1,
        "started_at": NOW - timedelta(seconds=60),
        "finished_at": NOW - timedelta(seconds=50),
        "complete_at": NOW - timedelta(seconds=60),
        "gap_id": 4,
        "failures": 0,
        "error": None,
        "utc_offset": 0,
    }
    return Sweep(**told | changes)


@pytest.mark.parametrize(
    ("last", "gap", "due"),
    [
        pytest.param(None, 0, True, id="never swept"),
        pytest.param(_last(), 0, False, id="a minute ago"),
        pytest.param(_last(), 4, False, id="the gap it has covered"),
        pytest.param(_last(), 5, True, id="a gap since"),
        pytest.param(_last(started_at=NOW - timedelta(seconds=300)), 0, True, id="on schedule"),
        pytest.param(_last(started_at=NOW - timedelta(seconds=299)), 0, False, id="a second early"),
        pytest.param(_last(started_at=NOW - timedelta(hours=2)), 0, True, id="before this process began"),
        pytest.param(_last(finished_at=None), 0, True, id="broken off or under way"),
        pytest.param(_last(failures=1, finished_at=NOW - timedelta(seconds=9)), 5, False, id="failed just now"),
        pytest.param(_last(failures=1, finished_at=NOW - timedelta(seconds=10)), 0, True, id="again after a pause"),
        pytest.param(_last(failures=4, finished_at=NOW - timedelta(seconds=79)), 0, False, id="longer each time"),
        pytest.param(_last(failures=40, finished_at=NOW - timedelta(seconds=300)), 0, True, id="never over `every`"),
    ],
)
def test_due(last: Sweep | None, gap: int, due: bool) -> None:
    assert PLAN.due(last, gap=gap, started=NOW - timedelta(hours=1), now=NOW) is due


async def _rounds(sweeper: Sweeper, house: House, until: int) -> None:
    """Step until the portal has been swept completely `until` times, as its clock shows."""
    async with asyncio.timeout(180):
        while await _completed(house) < until:
            await sweeper.step()
            await asyncio.sleep(0.02)


async def _completed(house: House) -> int:
    state = await house.state()
    if state is None or state.complete_at is None:
        return 0
    return 1 + int((state.complete_at - NOW) / timedelta(minutes=5))


async def test_a_portal_is_swept_at_the_start_on_schedule_and_at_once_after_a_gap(database) -> None:
    async with house_of(database) as house, _sweeper(house) as sweeper:
        await _rounds(sweeper, house, 1)
        first = await house.state()
        await sweeper.step()
        await asyncio.sleep(0.1)
        assert await house.state() == first, "nothing is due"

        house.clock.passes(minutes=5)
        await _rounds(sweeper, house, 2)

        house.clock.passes(seconds=20)
        lead = house.add(LEAD, title="its webhook was turned away")
        async with database.writing() as session:
            await gaps.note(session, noticed_at=house.clock(), reason="deliveries could not be stored")
        async with asyncio.timeout(180):
            while await house.value("SELECT count(*) FROM gaps WHERE swept_at IS NULL"):
                await sweeper.step()
                await asyncio.sleep(0.02)
        assert await house.cards_asked() == [(1, lead)]


async def test_a_dead_portal_delays_no_other_and_keeps_the_gap_open(database) -> None:
    clock = Clock()
    async with house_of(database, clock) as good, house_of(database, clock, seed=2) as dead:
        dead.portal.rest.secret = "another"
        async with database.writing() as session:
            await gaps.note(session, noticed_at=clock(), reason="a test")
        async with _sweeper(good) as sweeper:
            await _rounds(sweeper, good, 1)
            async with asyncio.timeout(180):
                while (failed := await dead.state()) is None or not failed.failures:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            swept = await good.state()
            for _ in range(3):
                await sweeper.step()
                await asyncio.sleep(0.05)
            assert await good.state() == swept, "an open gap of another portal starts no second sweep"
        async with database.reading() as session:
            assert len(await gaps.unswept(session)) == 1
        async with database.writing() as session:
            await portals.set_enabled(session, dead.portal_id, enabled=False)
        clock.passes(minutes=5)
        async with _sweeper(good) as sweeper:
            await _rounds(sweeper, good, 2)
        async with database.reading() as session:
            assert await gaps.unswept(session) == []


async def test_a_sweep_that_fails_at_its_first_read_is_tried_again_soon_and_not_on_schedule(database) -> None:
    async with house_of(database) as house, _sweeper(house) as sweeper:
        right, house.portal.rest.secret = house.portal.rest.secret, "another"
        async with asyncio.timeout(180):
            while (failed := await house.state()) is None or not failed.failures:
                await sweeper.step()
                await asyncio.sleep(0.02)
        assert failed.complete_at is None
        house.portal.rest.secret = right
        lead = house.add(LEAD, title="made while nobody could look")
        house.clock.passes(seconds=11)
        await _rounds(sweeper, house, 1)
        assert (LEAD, lead) in await house.cards_asked()


async def test_several_workers_sweep_a_portal_once(database) -> None:
    async with house_of(database) as house:
        house.add(LEAD, title="one")
        before = _rounds_asked(house)
        async with _sweeper(house) as one, _sweeper(house) as two, _sweeper(house) as three:
            for _ in range(20):
                await asyncio.gather(one.step(), two.step(), three.step())
                await asyncio.sleep(0.02)
            await _rounds(one, house, 1)
        assert await house.value("SELECT count(*) FROM journal WHERE source = 'sweep'") == 1
        assert _rounds_asked(house) - before == 1


async def test_only_one_holds_the_lock_and_a_lost_connection_frees_it(database) -> None:
    async with SweepLocks(database) as here, SweepLocks(database) as there:
        async with here.of(7) as mine, here.of(8) as other, there.of(7) as theirs, here.of(7) as twice:
            assert (mine, other, theirs, twice) == (True, True, False, False)
        async with there.of(7) as theirs:
            assert theirs
        async with here.of(9):
            await here._drop()
            async with there.of(9) as theirs:
                assert theirs


async def test_a_database_that_restarted_is_away_once_and_no_failed_sweep(database) -> None:
    async with SweepLocks(database) as locks:
        async with locks.of(7):
            pass
        async with database.writing() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query LIKE '%advisory_unlock%' AND pid <> pg_backend_pid()"
                )
            )
        with pytest.raises(DatabaseAway):
            async with locks.of(7):
                pass
        async with locks.of(7) as mine:
            assert mine


async def test_what_a_portal_refused_is_counted_once(database) -> None:
    async with house_of(database) as house:
        async with UsageCount(database, house.connections, now=house.clock) as usage:
            await house.sweep()
            stats = house.connections.live()[0].client.stats
            stats.rate_limited += 2
            await usage.write()
            await usage.write()
            stats.operating_limited += 1
        async with database.reading() as session:
            counted = {one.name: one.value for one in await counters.since(session, house.clock().date())}
    assert (counted["portal_503"], counted["portal_429"]) == (2, 1)
    assert counted["portal_requests"] == stats.requests
    async with database.reading() as session:
        assert [one.portal_id for one in await sweeps.all_sweeps(session)] == [house.portal_id]


def _sweeper(house: House) -> Sweeper:
    return Sweeper(house.database, house.connections, PLAN, now=house.clock)


def _rounds_asked(house: House) -> int:
    """Each round asks for the profile once; so does a reading of the dictionary, which asks for the time as well."""
    asked = house.portal.stats.commands
    return asked.get("profile", 0) - asked.get("server.time", 0)
