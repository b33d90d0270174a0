"""The sweep finds all that no webhook told, once; and goes on where a fault or a crash stopped it."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.pipeline.sweep_sources import SOURCES
from app.sandbox.errors import RestError
from app.sandbox.faults import Fault
from app.store import cards, cursors, stage_moves
from app.store.cards import CardKey
from tests.pipeline.sweep_house import COMPANY, DEAL, LEAD, Clock, House, house_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(database):
    async with house_of(database) as made:
        yield made


async def test_a_new_and_a_changed_card_are_found_and_a_quiet_round_asks_for_nothing(house: House) -> None:
    old = house.add(LEAD, title="known before")
    await house.calm()
    house.clock.passes(hours=3)
    new = house.add(LEAD, title="came in the night")
    house.clock.passes(hours=3)
    house.edit(LEAD, old, title="changed in the night")
    deal = house.add(DEAL, title="made by hand")
    house.clock.passes(minutes=1)

    swept = await house.sweep()

    assert swept.error is None
    assert sorted(await house.cards_asked()) == [(LEAD, old), (LEAD, new), (DEAL, deal)]
    await house.sweep()
    assert len(await house.asked()) == 3, "what waits is not asked for twice"
    await house.judge_waiting()
    await house.calm()
    for _ in range(3):
        house.clock.passes(minutes=5)
        assert (await house.sweep()).queued == 0
    assert await house.asked() == []


async def test_a_quiet_round_asks_each_source_once(house: House) -> None:
    house.add(LEAD, title="known before")
    house.add(DEAL, title="known before")
    await house.calm()
    house.clock.passes(minutes=15)
    house.portal.reset_stats()
    assert (await house.sweep()).error is None
    asked = Counter(source.method for source in SOURCES)
    told = house.portal.stats.commands
    assert {method: told[method] for method in asked} == asked | {"crm.item.list": asked["crm.item.list"] + 1}, (
        "and closed deals of before, once"
    )
    assert house.portal.stats.requests <= 4


async def test_an_imported_card_with_old_dates_is_found_by_its_id(house: House) -> None:
    house.add(LEAD, title="known before")
    await house.calm()
    imported = house.imported(LEAD, days_ago=400, title="from the old system")
    await house.sweep()
    assert await house.asked() == [("SWEEP_NEW", LEAD, imported)]


async def test_a_change_of_pipeline_is_found_and_every_hop_is_kept(house: House) -> None:
    lists = house.portal.world.dictionaries
    other = next(one.id for one in lists.pipelines if one.entity_type_id == DEAL and one.id)
    stages = [one.status_id for one in lists.of(lists.stage_list(DEAL, other))]
    deal = house.add(DEAL, title="wanders")
    await house.calm()
    house.clock.passes(hours=1)
    house.portal.ui_update(DEAL, deal, {"categoryId": other, "stageId": stages[0]})
    house.clock.passes(minutes=1)
    house.portal.ui_update(DEAL, deal, {"stageId": stages[1]})
    # Whatever the list of changed cards may miss, the history tells.
    stored = house.portal.world.stores[DEAL].rows[deal]
    async with house.database.reading() as session:
        known = await cards.get(session, CardKey(house.portal_id, DEAL, deal))
    assert known is not None
    assert known.updated_time is not None
    stored["updatedTime"] = house.portal.world.time.text(known.updated_time.timestamp())

    house.clock.passes(hours=1)
    await house.sweep()

    assert await house.asked() == [("SWEEP_MOVED", DEAL, deal)]
    async with house.database.reading() as session:
        hops = await stage_moves.of_card(session, CardKey(house.portal_id, DEAL, deal))
    assert [(hop.category_id, hop.stage_id) for hop in hops][-2:] == [(other, stages[0]), (other, stages[1])]


async def test_first_sight_takes_open_cards_of_the_last_month_and_closed_ones_of_the_last_day(house: House) -> None:
    fresh = house.imported(LEAD, days_ago=29, title="open, last month")
    house.imported(LEAD, days_ago=40, title="open, long ago")
    for title in ("closed long ago", "closed today"):
        house.edit(LEAD, house.add(LEAD, title=title), stageId="JUNK")
    old, today = sorted(one["id"] for one in house.portal.items(LEAD) if one["stageId"] == "JUNK")
    house.portal.world.stores[LEAD].rows[old]["updatedTime"] = house.portal.world.time.text(
        (house.clock() - timedelta(days=5)).timestamp()
    )
    house.clock.passes(hours=1)

    await house.sweep()
    assert {card for _, _, card in await house.asked()} == {fresh, today}
    await house.judge_waiting()
    await house.calm()

    house.clock.passes(hours=1)
    house.edit(LEAD, old, title="somebody looked into it")
    await house.sweep()
    assert await house.asked() == [("SWEEP_CHANGED", LEAD, old)]


async def test_a_deleted_card_is_found_missing_within_two_days(house: House) -> None:
    gone, stays = house.add(LEAD, title="gone"), house.add(LEAD, title="stays")
    await house.calm()
    house.portal.ui_delete(LEAD, gone)
    house.clock.passes(hours=49)
    await house.sweep()
    assert await house.asked() == [("SWEEP_MISSING", LEAD, gone)]
    await house.judge_waiting()
    async with house.database.reading() as session:
        states = {
            card: (await cards.get(session, CardKey(house.portal_id, LEAD, card))).state for card in (gone, stays)
        }
    assert states == {gone: "deleted", stays: "open"}
    house.clock.passes(hours=25)
    await house.sweep()
    assert await house.asked() == []


async def test_a_changed_company_asks_for_its_open_cards(house: House) -> None:
    company = house.add(COMPANY, title="ООО «Пар»")
    other = house.add(COMPANY, title="ООО «Вода»")
    house.add(LEAD, title="of the company", companyId=company)
    await house.calm()
    house.clock.passes(hours=1)
    house.edit(COMPANY, company, revenue=3_000_000_000)
    house.edit(COMPANY, other, revenue=5)
    house.clock.passes(minutes=1)
    await house.sweep()
    assert await house.asked() == [("SWEEP_CHANGED", COMPANY, company)]


async def test_a_parked_card_is_asked_about_once_for_each_change(house: House) -> None:
    lead = house.add(LEAD, title="refused")
    await house.calm()
    house.clock.passes(hours=1)
    house.edit(LEAD, lead, title="changed")
    async with house.database.writing() as session:
        await cards.park(session, CardKey(house.portal_id, LEAD, lead), reason="a field is mandatory")
    house.clock.passes(minutes=5)
    await house.sweep()
    assert await house.asked() == [("SWEEP_CHANGED", LEAD, lead)]
    async with house.database.writing() as session:
        await session.execute(text("UPDATE journal SET dispatched_at = now()"))
    for _ in range(2):
        await house.sweep()
    assert await house.asked() == []
    house.edit(LEAD, lead, title="mended")
    house.clock.passes(minutes=5)
    await house.sweep()
    assert await house.asked() == [("SWEEP_CHANGED", LEAD, lead)]


async def test_a_card_read_within_the_second_of_its_change_is_looked_at_again_once(house: House) -> None:
    lead = house.add(LEAD, title="first")
    await house.calm()
    house.edit(LEAD, lead, title="first, changed")
    await house.sweep()
    await house.judge_waiting()  # by a clock that has not moved since the change
    house.portal.world.stores[LEAD].rows[lead]["title"] = "second, within the same second"
    house.clock.passes(minutes=5)
    swept = await house.sweep()
    assert (swept.queued, await house.asked()) == (0, [("SWEEP_AGAIN", LEAD, lead)])
    await house.calm()
    async with house.database.reading() as session:
        known = await cards.get(session, CardKey(house.portal_id, LEAD, lead))
    assert known is not None
    assert known.title == "second, within the same second"


async def test_the_cursor_does_not_pass_a_fault_and_the_next_round_goes_on_from_there(house: House) -> None:
    await house.calm()
    before = await _position(house, "lead.new")
    leads = [house.imported(LEAD, days_ago=90, title=f"lead {number}") for number in range(1200)]
    _break_pages_above(house, leads[700])

    swept = await house.sweep()

    assert swept.error is not None
    found = {one.source: one for one in swept.found}
    assert found["lead.new"].error
    assert found["deal.new"].error is None
    stopped = await _position(house, "lead.new")
    assert before <= stopped < leads[701]
    asked = [card for _, _, card in await house.asked()]
    assert asked == [one for one in leads if one <= stopped]
    assert (await house.state()).failures == 1

    house.portal.rest.__dict__.pop("_reply")
    assert (await house.sweep()).error is None
    assert sorted(card for _, _, card in await house.asked()) == leads
    assert await _position(house, "lead.new") == leads[-1]
    assert (await house.state()).failures == 0


async def test_a_sweep_cancelled_in_the_middle_resumes_its_window(house: House) -> None:
    leads = [house.add(LEAD, title=f"lead {number}") for number in range(1100)]
    first_chunk = asyncio.Event()
    reading = asyncio.create_task(house.sweep(watch=lambda found: first_chunk.set() if found.queued else None))
    await asyncio.wait_for(first_chunk.wait(), 180)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    half = len(await house.asked())
    assert 0 < half < len(leads)
    assert (await house.sweep()).error is None
    assert sorted(card for _, _, card in await house.asked()) == leads


async def test_a_dead_portal_fails_alone_and_keeps_its_cursor(database) -> None:
    clock = Clock()
    async with house_of(database, clock) as good, house_of(database, clock, seed=2) as dead:
        for house in (good, dead):
            await house.calm()
        leads = {house.portal_id: house.add(LEAD, title="found") for house in (good, dead)}
        secret, dead.portal.rest.secret = dead.portal.rest.secret, "another"
        results = await asyncio.gather(good.sweep(), dead.sweep())
        assert results[0].error is None
        assert results[1].error is not None
        assert await good.cards_asked() == [(LEAD, leads[good.portal_id])]
        assert await dead.cards_asked() == []
        dead.portal.rest.secret = secret
        assert (await dead.sweep()).error is None
        assert await dead.cards_asked() == [(LEAD, leads[dead.portal_id])]


async def test_a_source_the_portal_refuses_does_not_keep_the_rest_from_being_complete(house: House) -> None:
    house.portal.faults.append(
        Fault("error", "crm.activity.list", code="ACCESS_DENIED", description="Access denied", status=403, times=None)
    )
    lead = house.add(LEAD, title="found")
    swept = await house.sweep()
    assert swept.error is None
    assert {one.source for one in swept.found if one.refused} == {"activity.new", "activity.changed"}
    assert [card for _, _, card in await house.asked()] == [lead]


async def _position(house: House, source: str) -> int:
    async with house.database.reading() as session:
        cursor = await cursors.get(session, house.portal_id, source)
    assert cursor is not None
    return cursor.position


def _break_pages_above(house: House, lead_id: int) -> None:
    """Every page of leads that would hold a higher id is refused, for good."""
    answer = house.portal.rest._reply

    def reply(name, params, stamp):
        given = answer(name, params, stamp)
        if name == "crm.item.list" and str(params.get("entityTypeId")) == "1" and "<=id" in str(params.get("filter")):
            rows = given.result["items"]
            if rows and rows[-1]["id"] > lead_id:
                raise RestError("ERROR_UNEXPECTED_ANSWER", "unexpected", 400)
        return given

    house.portal.rest._reply = reply
