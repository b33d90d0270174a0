"""People, departments, calendars and absences in the database."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from app.domain.calendars import NINE_TO_SIX, Layer, Why
from app.domain.team import Department, Person, Team
from app.domain.working_time import NO_WORK, Hours
from app.store import audit, people, portals, team
from app.store.audit import AuditFilter
from app.store.people import TeamReading
from app.store.team import AbsenceUnknown

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 6, 10, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SHORT = (Hours(600, 840),)
ANNA = Person(user_id=7, name="Анна", department_ids=(2,), time_zone="Asia/Vladivostok", position="РОП\x00")
BORIS = Person(user_id=8, name="Борис", department_ids=(2, 3))
WHOLE = Team(
    people={7: ANNA, 8: BORIS},
    departments={
        2: Department(department_id=2, name="Продажи", parent_id=1, head_id=7),
        3: Department(department_id=3, name="Закупки"),
    },
)


async def test_people_are_kept_as_last_read(write_session, portal):
    await people.keep(write_session, portal.id, WHOLE, read_at=NOW)
    known = await people.people(write_session, portal.id)
    assert known[8] == BORIS
    assert known[7].position == "РОП�", "a letter the database cannot keep loses nobody"
    assert await people.departments(write_session, portal.id) == WHOLE.departments
    assert await people.head_of(write_session, portal.id, 8) == 7
    assert await people.head_of(write_session, portal.id, 7) is None
    assert await people.head_of(write_session, portal.id, 99) is None

    less = Team(
        people={8: Person(user_id=8, name="Борис П.")}, departments={3: Department(department_id=3, name="Закупки")}
    )
    await people.keep(write_session, portal.id, less, read_at=LATER)
    known = await people.people(write_session, portal.id)
    assert (known[7].active, known[8].name, known[8].department_ids) == (False, "Борис П.", ())
    assert list(await people.departments(write_session, portal.id)) == [3]


async def test_what_may_not_be_read_stays_and_is_told(write_session, portal):
    await people.keep(write_session, portal.id, WHOLE, read_at=NOW)
    refused = Team(refused={"people": "no scope user", "departments": "no scope department"})
    await people.keep(write_session, portal.id, refused, read_at=LATER)
    assert len(await people.people(write_session, portal.id)) == 2
    assert await people.head_of(write_session, portal.id, 8) == 7
    assert await people.readings(write_session, portal.id) == [
        TeamReading(source="departments", read_at=NOW, refused="no scope department"),
        TeamReading(source="people", read_at=NOW, refused="no scope user"),
    ]
    await people.keep(write_session, portal.id, WHOLE, read_at=LATER)
    assert {(one.read_at, one.refused) for one in await people.readings(write_session, portal.id)} == {(LATER, None)}


async def test_more_people_than_one_statement_takes(write_session, portal):
    crowd = {number: Person(user_id=number, name=f"N {number}") for number in range(1, 10_001)}
    await people.keep(write_session, portal.id, Team(people=crowd), read_at=NOW)
    assert len(await people.people(write_session, portal.id)) == len(crowd)


async def test_calendars_are_put_together_from_all_layers(write_session, portal):
    await portals.learned(write_session, portal.id, time_zone="+0500")
    await people.keep(write_session, portal.id, WHOLE, read_at=NOW)
    start = datetime(2026, 6, 11, tzinfo=UTC)
    settings = Layer(week={0: SHORT, 1: SHORT}, yearly_off=frozenset({(6, 16)}))
    await team.keep(write_session, portal.id, Team(hours=settings), read_at=NOW)
    for scope, subject, layer in (
        ("portal", 0, Layer(week={1: NINE_TO_SIX})),
        ("desk", 3, Layer(zone=ZoneInfo("Asia/Omsk"), days={date(2026, 6, 12): SHORT})),
        ("person", 8, Layer(week={4: ()}, country="")),
    ):
        await team.set_calendar(write_session, portal.id, scope, subject, layer, who="boss", now=NOW)
    added = await team.add_absence(
        write_session,
        portal.id,
        8,
        starts_at=start,
        ends_at=start + timedelta(days=1),
        note="врач",
        who="boss",
        now=NOW,
    )
    found = await team.calendars(write_session, portal.id, around=NOW)
    hours = [found.day(date(2026, 6, day), 8, 3).hours for day in (8, 9, 10, 12, 16, 19)]
    assert hours == [SHORT, NINE_TO_SIX, NINE_TO_SIX, SHORT, NINE_TO_SIX, ()]
    holiday = found.day(date(2026, 6, 12), 7)
    assert (holiday.hours, holiday.why, holiday.name) == (NO_WORK, Why.HOLIDAY, "День России")
    assert found.day(date(2026, 6, 16), 7).why is Why.HOLIDAY
    zones = [found.of(*who).zone for who in ((None, None), (None, 3), (7, 3), (8, 3))]
    five = timezone(timedelta(hours=5))
    assert zones == [five, ZoneInfo("Asia/Omsk"), ZoneInfo("Asia/Vladivostok"), ZoneInfo("Asia/Omsk")]
    assert [found.absent(8, at) for at in (NOW, start)] == [False, True]

    await team.withdraw_absence(write_session, added.id, who="boss", now=LATER)
    with pytest.raises(AbsenceUnknown):
        await team.withdraw_absence(write_session, added.id, who="boss", now=LATER)
    await people.keep(write_session, portal.id, Team(people={7: ANNA}), read_at=LATER)
    found = await team.calendars(write_session, portal.id, around=NOW)
    assert not found.absences
    assert found.absent(8, NOW), "dismissed"
    assert len(await team.absences(write_session, portal.id, with_withdrawn=True)) == 1
    assert await team.absences(write_session, portal.id) == []


async def test_changes_by_people_are_in_the_audit_log(write_session, portal):
    await team.keep(write_session, portal.id, Team(hours=Layer(week={0: SHORT})), read_at=NOW)
    for layer in (Layer(week={0: ()}), Layer(country="KZ")):
        await team.set_calendar(write_session, portal.id, "person", 8, layer, who="boss", now=NOW)
    gone = await team.remove_calendar(write_session, portal.id, "person", 8, who="boss")
    assert gone.document == {"country": "KZ"}
    assert await team.remove_calendar(write_session, portal.id, "person", 8, who="boss") is None
    noted = await audit.page(write_session, AuditFilter(subject="person 8"))
    assert [(one.what, one.detail) for one in reversed(noted)] == [
        ("calendar.set", {"from": None, "to": {"week": {"mon": []}}}),
        ("calendar.set", {"from": {"week": {"mon": []}}, "to": {"country": "KZ"}}),
        ("calendar.removed", {"from": {"country": "KZ"}, "to": None}),
    ]
    assert [one.source for one in await team.all_calendars(write_session, portal.id)] == ["portal"]
