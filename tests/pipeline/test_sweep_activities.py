"""The sweep keeps what people did and whose cards were: each state once, calls with their talk, refusals told."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.domain.activity_kind import ActivityKind, WhyUnknown
from app.domain.first_response import Source
from app.sandbox.faults import Fault
from app.store import activities, companies, histories, owner_changes
from app.store.cards import CardKey
from tests.pipeline.sweep_house import COMPANY, DEAL, LEAD, House, house_of

pytestmark = pytest.mark.anyio

CONTACT = 3


@pytest.fixture
async def house(database):
    async with house_of(database) as made:
        yield made


async def _kept(house: House, kind: int, card: int):
    async with house.database.reading() as session:
        return await activities.of_card(session, CardKey(house.portal_id, kind, card))


async def test_each_state_of_an_activity_is_kept_once_and_judges_nothing(house: House) -> None:
    lead = house.add(LEAD, title="is called")
    await house.calm()
    house.clock.passes(minutes=20)
    call = house.portal.ui_add_activity(LEAD, lead, {"TYPE_ID": 2, "SUBJECT": "Call", "DIRECTION": 2})
    assert (await house.sweep()).queued == 1, "told by two sources, new to the first"
    told = (await _kept(house, LEAD, lead))[0]
    assert (told.kind, told.completed, told.happened) == (ActivityKind.CALL_OUT, False, False)
    house.clock.passes(minutes=1)
    house.portal.ui_complete_activity(call)
    await house.sweep()
    told = (await _kept(house, LEAD, lead))[0]
    assert (told.activity_id, told.completed) == (call, True)
    assert (told.happened, told.why_unknown) == (None, WhyUnknown.NO_STATISTICS)
    assert (await house.sweep()).queued == 0
    assert await house.asked() == []


async def test_statistics_tell_whether_a_call_was_talked_on(house: House) -> None:
    lead = house.add(LEAD, title="is called")
    await house.calm()
    house.clock.passes(minutes=20)
    calls = [
        house.portal.ui_call(LEAD, lead, seconds=64),
        house.portal.ui_call(LEAD, lead),
        house.portal.ui_call(LEAD, lead, outgoing=False, seconds=7),
        house.portal.ui_call(LEAD, lead, outgoing=False),
    ]
    await house.sweep()
    told = {one.activity_id: (one.kind.value, one.talk_seconds, one.happened) for one in await _kept(house, LEAD, lead)}
    assert [told[one] for one in calls] == [
        ("call_out", 64, True),
        ("call_out", 0, False),
        ("call_in", 7, True),
        ("call_in", 0, False),
    ]
    assert await house.value("SELECT count(*) FROM calls") == 4
    # The activity changes after its statistics were read: what was talked stays.
    house.clock.passes(minutes=20)
    house.portal.ui_complete_activity(calls[3])
    await house.sweep()
    told = {one.activity_id: (one.completed, one.talk_seconds, one.happened) for one in await _kept(house, LEAD, lead)}
    assert told[calls[3]] == (True, 0, False)


async def test_a_call_on_a_contact_is_found_at_the_deal_it_is_bound_to(house: House) -> None:
    contact, deal = house.add(CONTACT, name="Anna"), house.add(DEAL, title="boiler")
    await house.calm()
    call = house.portal.ui_call(CONTACT, contact, seconds=30)
    answer = house.portal.call("crm.activity.binding.add", {"activityId": call, "entityTypeId": DEAL, "entityId": deal})
    assert answer.status == 200
    await house.sweep()
    assert [one.activity_id for one in await _kept(house, DEAL, deal) if one.kind is ActivityKind.CALL_OUT] == [call]
    house.portal.reset_stats()
    await house.sweep()
    assert "crm.activity.binding.list" not in house.portal.stats.commands, "asked once for each state"


async def test_a_missing_scope_is_told_as_missing_and_mended_when_it_is_given(house: House) -> None:
    house.portal.scopes.discard("telephony")
    await house.calm()
    house.clock.passes(minutes=5)
    swept = await house.sweep()
    assert swept.error is None
    async with house.database.reading() as session:
        known = {one.source: one for one in await histories.of_portal(session, house.portal_id)}
    assert known["calls"].refused
    assert known["calls"].whole_since is None
    assert histories.missing(known.values(), house.clock()) == {Source.CALLS}
    assert histories.missing(known.values(), house.clock() - timedelta(days=1)) == {Source.CALLS, Source.ACTIVITIES}

    house.portal.scopes.add("telephony")
    house.clock.passes(minutes=5)
    await house.sweep()
    async with house.database.reading() as session:
        again = await histories.of_portal(session, house.portal_id)
    assert histories.missing(again, house.clock()) == frozenset()
    assert histories.missing(again, house.clock() - timedelta(minutes=5)) == {Source.CALLS}
    assert {one.source for one in again} == {
        "activities", "calls", "chats", "quotes", "invoices", "lead_moves", "deal_moves", "lead_owners", "deal_owners",
    }  # fmt: skip


async def test_bindings_that_may_not_be_read_leave_the_owner(house: House) -> None:
    house.portal.faults.append(
        Fault("error", "crm.activity.binding.list", code="ACCESS_DENIED", description="no", status=403, times=None)
    )
    lead = house.add(LEAD, title="is called")
    await house.calm()
    house.portal.ui_call(LEAD, lead, seconds=5)
    assert (await house.sweep()).error is None
    assert len([one for one in await _kept(house, LEAD, lead) if one.kind is ActivityKind.CALL_OUT]) == 1
    assert await house.value("SELECT count(*) FROM activity_bindings") == 0


async def test_owners_are_kept_by_the_sweep_and_by_runs(house: House) -> None:
    lead = house.add(LEAD, title="wanders", assignedById=12)
    born = house.clock()
    await house.calm()
    house.clock.passes(hours=1)
    house.edit(LEAD, lead, assignedById=13)
    first = house.clock()
    house.clock.passes(minutes=5)
    await house.sweep()
    await house.judge_waiting()
    house.clock.passes(hours=1)
    house.edit(LEAD, lead, assignedById=14)
    second = house.clock()
    house.clock.passes(minutes=5)
    async with house.database.writing() as session:
        await session.execute(
            text(
                "INSERT INTO journal (source, event, portal_id, entity_type_id, card_id)"
                " VALUES ('webhook', 'ONCRMLEADUPDATE', :portal, 1, :card)"
            ),
            {"portal": house.portal_id, "card": lead},
        )
    assert (LEAD, lead) in await house.judge_waiting()
    await house.calm()
    async with house.database.reading() as session:
        owners = await owner_changes.of_card(session, CardKey(house.portal_id, LEAD, lead))
    assert [(one.user_id, one.since) for one in owners] == [(12, born), (13, first), (14, second)]


async def test_companies_are_known_by_name_also_from_before_us(house: House) -> None:
    old = house.imported(COMPANY, 400, title="Завод", assignedById=12)
    await house.calm()
    house.clock.passes(hours=1)
    new = house.add(COMPANY, title="Комбинат", assignedById=13)
    house.edit(COMPANY, old, title="Завод № 1")
    await house.sweep()
    async with house.database.reading() as session:
        told = await companies.some(session, house.portal_id, [old, new, 999])
    assert {id_: (one.title, one.assigned_by_id) for id_, one in told.items()} == {
        old: ("Завод № 1", 12),
        new: ("Комбинат", 13),
    }
