"""When a portal's dictionary is read again, and what counts as a word it lacks."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from app.bitrix24.errors import Unreachable
from app.domain.snapshot import Entity, PortalDictionary, Stage
from app.pipeline.dictionaries import Dictionaries, unknown_codes

START = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


class Portal:
    """Gives a new dictionary at each reading, or the error it is told to."""

    def __init__(self):
        self.readings = 0
        self.asked = 0
        self.error = None

    async def read(self):
        await asyncio.sleep(0)
        self.asked += 1
        if self.error:
            raise self.error
        self.readings += 1
        return PortalDictionary(integration_user_id=self.readings, zone=UTC)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def portal():
    return Portal()


@pytest.fixture
def kept(clock):
    return Dictionaries(clock)


@pytest.mark.anyio
async def test_read_once_an_hour(kept, clock, portal):
    first = await kept.of(1, portal.read)
    clock.now += timedelta(minutes=59)
    assert await kept.of(1, portal.read) is first
    clock.now += timedelta(minutes=1)
    assert (await kept.of(1, portal.read)).integration_user_id == 2


@pytest.mark.anyio
async def test_many_cards_at_once_are_one_reading(kept, portal):
    found = await asyncio.gather(*(kept.of(1, portal.read) for _ in range(20)))
    assert {one.integration_user_id for one in found} == {1}


@pytest.mark.anyio
async def test_an_unknown_code_refreshes_but_not_for_every_card(kept, clock, portal):
    await kept.of(1, portal.read)
    clock.now += timedelta(minutes=2)
    found = await asyncio.gather(*(kept.refreshed(1, portal.read) for _ in range(20)))
    assert {one.integration_user_id for one in found} == {2}


@pytest.mark.anyio
@pytest.mark.parametrize("ask", ["of", "refreshed"])
async def test_a_failed_refresh_keeps_what_is_known_and_is_tried_again_soon(kept, clock, portal, ask):
    await kept.of(1, portal.read)
    clock.now += timedelta(hours=2)
    portal.error = Unreachable("gone")
    get = getattr(kept, ask)
    tried = []
    for minute in range(130):
        asked = portal.asked
        assert (await get(1, portal.read)).integration_user_id == 1
        assert (await get(1, portal.read)).integration_user_id == 1
        if portal.asked > asked:
            tried.append(minute)
        clock.now += timedelta(minutes=1)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123], "later each time, and at least every hour"
    portal.error = None
    clock.now += timedelta(hours=1)
    assert (await get(1, portal.read)).integration_user_id == 2
    portal.error = Unreachable("gone again")
    clock.now += timedelta(hours=1)
    asked = portal.asked
    await get(1, portal.read)
    clock.now += timedelta(minutes=1)
    await get(1, portal.read)
    assert portal.asked == asked + 2, "soon again after the first failure"


@pytest.mark.anyio
async def test_without_any_dictionary_a_failure_is_a_failure(kept, portal):
    portal.error = Unreachable("gone")
    with pytest.raises(Unreachable):
        await kept.of(1, portal.read)
    portal.error = None
    assert (await kept.of(1, portal.read)).integration_user_id == 1


@pytest.mark.anyio
async def test_portals_are_kept_apart_stored_ones_are_taken_and_forgotten_ones_read(kept, portal):
    stored = PortalDictionary(integration_user_id=77, zone=UTC)
    kept.put(2, stored, START)
    assert await kept.of(2, portal.read) is stored
    assert (await kept.of(1, portal.read)).integration_user_id == 1
    kept.forget(2)
    assert (await kept.of(2, portal.read)).integration_user_id == 2


GRADE = "UF_CRM_OGON_GRADE"
ROLES = "UF_CRM_OGON_ROLES"
KNOWN = PortalDictionary(
    integration_user_id=1,
    zone=UTC,
    stages=(Stage(Entity.DEAL, 0, "NEW", "Новая", 10, "process"), Stage(Entity.LEAD, 0, "JUNK", "Брак", 10, "failure")),
    enumerations={(Entity.DEAL, GRADE): {"31": "AAA"}, (Entity.DEAL, ROLES): {"41": "user"}},
    fields=frozenset({(Entity.DEAL, GRADE), (Entity.DEAL, ROLES)}),
)


@pytest.mark.parametrize(
    ("card", "strange"),
    [
        pytest.param({"stageId": "NEW", GRADE: 31, ROLES: [41]}, (), id="all known"),
        pytest.param({"stageId": "NEW", GRADE: None, ROLES: []}, (), id="empty"),
        pytest.param({"stageId": "NEW", GRADE: 0, ROLES: False}, (), id="empty in other prints"),
        pytest.param({"stageId": "UC_9"}, ("stageId=UC_9",), id="a new stage"),
        pytest.param({"stageId": "JUNK"}, ("stageId=JUNK",), id="a stage of another object"),
        pytest.param({"stageId": "NEW", GRADE: "32"}, (f"{GRADE}=32",), id="a new item"),
        pytest.param({"stageId": "NEW", ROLES: [41, 42]}, (f"{ROLES}=42",), id="a new item among several"),
        pytest.param({"stageId": "NEW", "UF_CRM_NEW": "x"}, ("UF_CRM_NEW=?",), id="a new field"),
    ],
)
def test_unknown_codes(card, strange):
    assert unknown_codes(KNOWN, Entity.DEAL, card) == strange
