"""Activities, calls and owners in their tables: newer states win, in whatever order things are read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from app.domain.activity_kind import Activity, ActivityKind, Call, WhyUnknown
from app.store import activities, owner_changes, portals
from app.store.cards import CardKey
from app.store.owner_changes import SeenOwner
from app.store.secret_box import SecretBox

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)
LEAD = 1
CALL = Activity(
    activity_id=880,
    kind=ActivityKind.CALL_OUT,
    provider="VOXIMPLANT_CALL",
    direction="out",
    completed=True,
    owner_type_id=LEAD,
    owner_id=7,
    responsible_id=12,
    author_id=12,
    created_at=NOW,
    start_at=NOW,
    end_at=NOW,
    updated_at=NOW,
    why_unknown=WhyUnknown.NO_STATISTICS,
)
TALK = Call(
    statistic_id=1,
    call_id="A1.2",
    direction="out",
    user_id=12,
    started_at=NOW,
    duration_seconds=64,
    talk_seconds=64,
    failed_code="200",
    entity_type_id=LEAD,
    entity_id=7,
    activity_id=880,
)


@pytest.fixture
async def portal_id(database) -> int:
    async with database.writing() as session:
        box = SecretBox(SecretStr("a key for activities, long enough"))
        made = await portals.add(session, box, webhook=SecretStr("https://a.example/rest/1/code00001/"))
    return made.id


@pytest.fixture
def card(portal_id: int) -> CardKey:
    return CardKey(portal_id, LEAD, 7)


async def test_an_activity_comes_back_as_it_was_kept(write_session, portal_id, card) -> None:
    odd = replace(CALL, activity_id=881, provider="half \ud800 and nul \x00", happened=False, why_unknown=None)
    assert await activities.keep(write_session, portal_id, [CALL, odd]) == 2
    kept = await activities.of_card(write_session, card)
    assert kept == [replace(odd, provider="half ? and nul \ufffd"), CALL]


async def test_a_newer_state_wins_and_an_older_one_does_not(write_session, portal_id, card) -> None:
    newer = replace(CALL, updated_at=NOW + timedelta(seconds=5), responsible_id=13)
    assert await activities.keep(write_session, portal_id, [newer]) == 1
    assert await activities.keep(write_session, portal_id, [CALL]) == 0
    assert await activities.keep(write_session, portal_id, [newer]) == 0, "nothing is written twice"
    within_the_second = replace(newer, responsible_id=14)
    assert await activities.keep(write_session, portal_id, [within_the_second]) == 1
    assert await activities.of_card(write_session, card) == [within_the_second]


@pytest.mark.parametrize("first", ["call", "activity"])
async def test_statistics_and_activity_meet_in_any_order(write_session, portal_id, card, first) -> None:
    passed_on = replace(TALK, statistic_id=2, talk_seconds=6)
    if first == "call":
        await activities.keep_calls(write_session, portal_id, [TALK, passed_on])
        await activities.keep(write_session, portal_id, [CALL])
    else:
        await activities.keep(write_session, portal_id, [CALL])
        await activities.keep_calls(write_session, portal_id, [TALK, passed_on])
    assert await activities.of_card(write_session, card) == [
        replace(CALL, talk_seconds=70, happened=True, why_unknown=None)
    ]
    assert await activities.keep_calls(write_session, portal_id, [TALK]) == 0
    assert await activities.keep(write_session, portal_id, [CALL]) == 0


async def test_a_call_without_a_duration_leaves_its_activity_unknown(write_session, portal_id, card) -> None:
    await activities.keep(write_session, portal_id, [CALL])
    await activities.keep_calls(write_session, portal_id, [replace(TALK, talk_seconds=None)])
    assert (await activities.of_card(write_session, card))[0].happened is None


async def test_bindings_find_an_activity_and_are_replaced_as_a_whole(write_session, portal_id, card) -> None:
    of_contact = replace(CALL, owner_type_id=3, owner_id=5, bindings=((3, 5), (LEAD, 7)))
    await activities.keep(write_session, portal_id, [of_contact])
    assert [one.activity_id for one in await activities.of_card(write_session, card)] == [880]
    assert await activities.without_bindings(write_session, portal_id, [replace(of_contact, bindings=None)]) == []
    later = replace(of_contact, bindings=None, updated_at=NOW + timedelta(minutes=1))
    assert await activities.without_bindings(write_session, portal_id, [later]) == [880]
    await activities.keep_bindings(write_session, portal_id, {880: ((3, 5),)})
    assert await activities.of_card(write_session, card) == []


async def test_a_page_of_a_cards_activities(write_session, portal_id, card) -> None:
    rows = [replace(CALL, activity_id=number) for number in range(1, 8)]
    rows += [replace(CALL, activity_id=8, owner_id=9, bindings=((LEAD, 9), (LEAD, 7)))]
    await activities.keep(write_session, portal_id, rows)
    page = await activities.of_card(write_session, card, limit=3)
    assert [one.activity_id for one in page] == [8, 7, 6]
    assert [one.activity_id for one in await activities.of_card(write_session, card, before=6, limit=3)] == [5, 4, 3]


async def test_another_owner_is_kept_and_an_old_reading_is_not(write_session, portal_id, card) -> None:
    async def note(user: int | None, changed: int, seen: int) -> int:
        at = SeenOwner(7, user, NOW + timedelta(seconds=changed), NOW + timedelta(seconds=seen))
        return await owner_changes.note(write_session, portal_id, LEAD, [at])

    assert await note(12, 0, 1) == 1
    assert await note(12, 60, 61) == 0, "the same owner after another change"
    assert await note(13, 90, 91) == 1
    assert await note(12, 60, 95) == 0, "listed before the change, written after it"
    assert await note(14, 90, 92) == 1, "a second change within the second"
    assert await note(13, 90, 91) == 0, "the reading before it"
    assert await note(None, 120, 121) == 1
    kept = await owner_changes.of_card(write_session, card)
    assert [one.user_id for one in kept] == [12, 13, 14, None]
    assert [(one.since - NOW).total_seconds() for one in kept] == [0, 90, 90.000001, 120]
