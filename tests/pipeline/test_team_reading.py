"""People, departments and hours read from the emulated portal, with full and with poor rights, and kept fresh."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.bitrix24.errors import InvalidCredentials
from app.domain.calendars import NINE_TO_SIX
from app.domain.team import Person, Team
from app.domain.working_time import Hours
from app.pipeline.team_reading import departments_of, people_of, read_team
from app.pipeline.team_watch import TeamWatch
from app.sandbox.faults import Fault
from app.sandbox.state.people import Department, User
from app.store import people, team
from app.store.database import Database
from tests.pipeline.sweep_house import LEAD, Clock, House, house_of

pytestmark = pytest.mark.anyio


async def test_everything_the_scopes_allow(portal, client):
    portal.world.people.users[12].time_zone = "Asia/Vladivostok"
    portal.world.people.users[22].active = False
    portal.world.people.calendar |= {"work_time_start": "9.30", "year_workdays": "31.12"}
    found = await read_team(client)
    assert found.people[12] == Person(
        user_id=12,
        name="Мария Лебедева",
        department_ids=(3,),
        time_zone="Asia/Vladivostok",
        position="Менеджер по продажам",
    )
    assert [one.user_id for one in found.people.values() if not one.active] == [22]
    assert (found.departments[3].parent_id, found.departments[3].head_id) == (1, 10)
    heads = found.heads()
    assert (heads[12], heads[10], 22 in heads) == (10, 5, False)
    assert found.hours.week[0] == (Hours(570, 1080),)
    assert ((6, 12) in found.hours.yearly_off, found.hours.yearly_working) == (True, {(12, 31)})
    assert found.refused == {}
    assert (client.stats.commands, client.stats.requests) == (3, 1)


async def test_people_and_departments_past_the_first_page_count(portal, client):
    for number in range(100, 170):
        portal.world.people.departments[number] = Department(number, f"Отдел {number}", 1, None)
        portal.world.people.users[number] = User(id=number, name="И", last_name="О", department=number)
    portal.world.people.departments[165].head = 150
    heads = (await read_team(client)).heads()
    assert heads[165] == 150
    assert len(heads) > 70


@pytest.mark.parametrize(
    ("scope", "source", "left"),
    [
        pytest.param("user", "people", ("departments", "hours"), id="no people"),
        pytest.param("department", "departments", ("people", "hours"), id="no departments"),
        pytest.param("calendar", "calendar", ("people", "departments"), id="no working time"),
    ],
)
async def test_a_missing_scope_costs_what_it_gives_and_is_told(portal, client, scope, source, left):
    portal.scopes.discard(scope)
    found = await read_team(client)
    assert list(found.refused) == [source]
    assert "scope" in found.refused[source]
    assert [name for name in ("people", "departments", "hours") if getattr(found, name) is not None] == list(left)
    assert bool(found.heads()) is (scope == "calendar")


async def test_a_portal_that_lists_nobody_hides_its_people(portal, client):
    portal.world.people.users.clear()
    found = await read_team(client)
    assert (found.people, list(found.refused)) == (None, ["people"])


async def test_a_dead_webhook_is_an_error_and_nobody_is_dismissed_by_it(portal, client):
    portal.faults.append(
        Fault("error", "user.get", code="NO_AUTH_FOUND", description="Wrong authorization data", status=401, times=None)
    )
    with pytest.raises(InvalidCredentials):
        await read_team(client)


def user(number, *departments, active=True):
    return {"ID": str(number), "ACTIVE": active, "UF_DEPARTMENT": list(departments)}


def department(number, parent=None, head=None):
    row = {"ID": str(number), "NAME": "d"}
    return row | ({"PARENT": str(parent)} if parent else {}) | ({"UF_HEAD": str(head)} if head else {})


@pytest.mark.parametrize(
    ("users", "departments", "heads"),
    [
        pytest.param(
            [user(12, 3), user(10, 3), user(5, 1)],
            [department(1, head=5), department(3, 1, 10)],
            {12: 10, 10: 5},
            id="the head of the department; his own is one up; the top has none",
        ),
        pytest.param([user(12, 3), user(5, 1)], [department(1, head=5), department(3, 1)], {12: 5}, id="no head here"),
        pytest.param(
            [user(12, 3), user(10, 3, active=False), user(5, 1)],
            [department(1, head=5), department(3, 1, 10)],
            {12: 5},
            id="a dismissed head leads nobody",
        ),
        pytest.param(
            [user(12, 9, 3), user(10, 3)], [department(3, None, 10)], {12: 10}, id="the first department with a head"
        ),
        pytest.param([user(12, 3)], [department(3, 4), department(4, 3)], {}, id="a loop ends"),
        pytest.param([user(12, 3)], [], {}, id="departments hidden"),
        pytest.param([], [department(3, None, 10)], {}, id="users hidden"),
    ],
)
async def test_heads(users, departments, heads):
    assert Team(people=people_of(users), departments=departments_of(departments)).heads() == heads


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with house_of(database, Clock()) as made:
        yield made


async def test_the_watch_reads_at_start_hourly_and_after_meeting_a_stranger(house: House) -> None:
    watch = TeamWatch(house.database, house.connections, now=house.clock)

    async def names() -> dict[int, str]:
        await watch.step()
        async with house.database.reading() as session:
            return {user: one.name for user, one in (await people.people(session, house.portal_id)).items()}

    users = house.portal.world.people.users
    known = await names()
    assert known[12] == "Мария Лебедева"
    async with house.database.reading() as session:
        calendars = await team.calendars(session, house.portal_id, around=house.clock())
    assert calendars.of(12).week[0] == NINE_TO_SIX
    assert calendars.of(12).zone.utcoffset(None) == timedelta(hours=3), "the portal's own clock"

    users[40] = User(id=40, name="Новый", last_name="Человек", department=3)
    house.clock.passes(minutes=5)
    assert 40 not in await names()
    lead = house.portal.ui_add(1, {"title": "Заявка", "assignedById": 40})
    await house.sweep()
    assert (LEAD, lead) in await house.judge_waiting()
    assert (await names())[40] == "Новый Человек"

    users[40].active = False
    house.clock.passes(hours=1)
    await names()
    async with house.database.reading() as session:
        assert not (await people.people(session, house.portal_id))[40].active


async def test_who_is_never_listed_is_not_looked_for_all_the_time(house: House) -> None:
    watch = TeamWatch(house.database, house.connections, now=house.clock)
    await watch.step()
    client = (await house.connections.of(house.portal_id)).client
    asked = []
    for number in range(2):
        house.clock.passes(minutes=2)
        lead = house.portal.ui_add(1, {"title": f"Заявка {number}", "assignedById": 77})
        await house.sweep()
        assert (LEAD, lead) in await house.judge_waiting()
        before = client.stats.commands
        await watch.step()
        asked.append(client.stats.commands > before)
    assert asked == [True, False]
