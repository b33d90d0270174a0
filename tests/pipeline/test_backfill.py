"""The backfill reads the past once, within few requests, goes on where it was cut off, and leaves the sweep alone."""

import asyncio
import math
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.pipeline.backfill import Filling, backfill
from app.sandbox.faults import Fault
from app.store import histories, owner_changes
from app.store.cards import CardKey
from tests.pipeline.sweep_house import DEAL, LEAD, House, house_of

pytestmark = pytest.mark.anyio

ACTIVITIES = 20_000
CALLS = 2_000


@pytest.fixture
async def house(database):
    async with house_of(database) as made:
        yield made


async def fill(house: House, days: int = 365, watch=lambda _found: None):
    client = (await house.connections.of(house.portal_id)).client
    since = house.clock() - timedelta(days=days)
    found = await backfill(Filling(house.portal_id, client, house.database, since, house.clock, watch))
    return {one.source: one for one in found}


async def _cursors(house: House) -> dict[str, int]:
    async with house.database.reading() as session:
        rows = await session.execute(text("SELECT source, position FROM cursors WHERE source NOT LIKE 'backfill.%'"))
        return {row[0]: row[1] for row in rows}


def _live_a_year(house: House, lead: int, activities: int, calls: int) -> None:
    """As many activities as a busy portal's, every so many a call; copies, since nobody listens to their events."""
    world = house.portal.world
    letter = house.portal.ui_add_activity(LEAD, lead, {"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "Y"})
    call = house.portal.ui_call(LEAD, lead, seconds=10)
    rows, spoken = [world.activities.rows[one] for one in (letter, call)], world.calls[0]
    for number in range(2, activities):
        is_call = number % (activities // calls) == 1
        made = world.activities.put(rows[is_call])
        if is_call:
            more = {"ID": str(len(world.calls) + 1), "CALL_DURATION": str(number % 3), "CRM_ACTIVITY_ID": str(made)}
            world.calls.append(spoken | more)


async def test_twenty_thousand_activities_cut_off_in_the_middle(house: House) -> None:
    lead = house.add(LEAD, title="busy")
    await house.sweep()
    before = await _cursors(house)
    _live_a_year(house, lead, ACTIVITIES, CALLS)
    middle = asyncio.Event()
    house.portal.reset_stats()

    def watch(found) -> None:
        if found.source == "activity.new" and found.seen >= 3_000:
            middle.set()

    cut = asyncio.create_task(fill(house, watch=watch))
    await asyncio.wait_for(middle.wait(), 180)
    cut.cancel()
    await asyncio.gather(cut, return_exceptions=True)
    kept = await house.value("SELECT count(*) FROM activities")
    assert 3_000 <= kept < ACTIVITIES
    position = await house.value("SELECT position FROM cursors WHERE source = 'backfill.activity.new'")
    assert await house.value("SELECT count(*) FROM activities WHERE activity_id <= :top", top=position) == kept

    first = house.portal.stats.requests
    house.portal.reset_stats()
    found = await fill(house)

    assert [one.error for one in found.values() if one.error] == []
    assert found["activity.new"].seen < ACTIVITIES - 2_500, "what was kept is not read again"
    assert await house.value("SELECT count(*) FROM activities WHERE provider <> 'CRM_TODO'") == ACTIVITIES
    assert await house.value("SELECT count(*) FROM calls") == CALLS
    told = house.portal.world.calls
    assert await house.value("SELECT sum(talk_seconds) FROM activities") == sum(
        int(one["CALL_DURATION"]) for one in told
    )
    assert await house.value("SELECT count(*) FROM activities WHERE happened = 'unknown'") == 0
    least = math.ceil((ACTIVITIES + CALLS) / 50 / 50)
    assert first + house.portal.stats.requests <= 2 * least + 20, "two beginnings, with what was read ahead of the cut"
    assert await _cursors(house) == before, "the sweep's cursors are its own"


async def test_only_what_happened_since_the_day_is_read_and_an_earlier_day_reads_the_rest(house: House) -> None:
    lead = house.add(LEAD, title="known")
    house.clock.passes(days=10)
    early = house.portal.ui_add_activity(LEAD, lead, {"TYPE_ID": 4, "DIRECTION": 2, "COMPLETED": "Y"})
    house.clock.passes(days=10)
    late = house.portal.ui_call(LEAD, lead, seconds=9)
    house.clock.passes(hours=1)
    await house.sweep()
    found = await fill(house, days=5)
    assert (found["activity.new"].seen, found["call.new"].seen) == (1, 1)
    assert await house.value("SELECT array_agg(activity_id) FROM activities") == [late]
    async with house.database.reading() as session:
        known = await histories.of_portal(session, house.portal_id)
    assert histories.missing(known, house.clock() - timedelta(days=5)) == frozenset()
    assert len(histories.missing(known, house.clock() - timedelta(days=6))) == 2

    assert (await fill(house, days=5))["activity.new"].seen == 0
    assert (await fill(house, days=3))["activity.new"].seen == 0
    assert (await fill(house, days=15))["activity.new"].seen == 2
    assert await house.value("SELECT array_agg(activity_id ORDER BY activity_id) FROM activities") == [early, late]


async def test_owners_as_of_now_and_every_hop(house: House) -> None:
    lead = house.add(LEAD, title="had by two", assignedById=12)
    house.clock.passes(days=2)
    house.edit(LEAD, lead, assignedById=13, stageId="IN_PROCESS")
    changed = house.clock()
    house.add(DEAL, title="a deal")
    house.clock.passes(days=1)
    await fill(house)
    async with house.database.reading() as session:
        owners = await owner_changes.of_card(session, CardKey(house.portal_id, LEAD, lead))
    assert [(one.user_id, one.since) for one in owners] == [(13, changed)], "who had it before, nobody tells"
    assert await house.value("SELECT count(*) FROM stage_moves WHERE entity_type_id = 1") == 2
    assert await house.value("SELECT count(*) FROM stage_moves WHERE entity_type_id = 2") == 1


async def test_a_sweep_that_comes_after_goes_on_where_the_backfill_ended(house: House) -> None:
    lead = house.add(LEAD, title="known")
    house.portal.ui_call(LEAD, lead, seconds=9)
    await fill(house)
    house.clock.passes(days=1)
    between = house.portal.ui_call(LEAD, lead, seconds=8)
    house.clock.passes(hours=1)
    await house.sweep()
    assert await house.value("SELECT talk_seconds FROM activities WHERE activity_id = :id", id=between) == 8


async def test_a_fault_keeps_what_was_read_and_a_missing_scope_is_told(house: House) -> None:
    lead = house.add(LEAD, title="known")
    house.portal.ui_call(LEAD, lead, seconds=9)
    house.portal.scopes.discard("telephony")
    house.portal.faults.append(
        Fault("error", "crm.stagehistory.list", code="INVALID_REQUEST", description="odd", status=400, times=None)
    )
    found = await fill(house)
    assert found["call.new"].refused
    assert {name for name, one in found.items() if one.error} == {"call.new", "lead.moves", "deal.moves"}
    assert await house.value("SELECT count(*) FROM activities WHERE happened = 'unknown'") == 1
    async with house.database.reading() as session:
        refused = {one.source for one in await histories.of_portal(session, house.portal_id) if one.refused}
    assert "calls" in refused
