"""Calendars in layers: who goes before whom, tables of cases and laws."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendars import BUILT_IN, NINE_TO_SIX, NO_COUNTRY, Calendars, DayTold, Holidays, Layer, Why
from app.domain.working_time import NO_WORK, Hours

MOSCOW = ZoneInfo("Europe/Moscow")
VLADIVOSTOK = ZoneInfo("Asia/Vladivostok")
LATE = (Hours(720, 1260),)
SHORT = (Hours(600, 840),)
PERSON, OTHER, DESK = 7, 8, 3
# 2026: the 12th of June is a Friday and a holiday, the 13th a Saturday. In this tale the 20th is worked.
FRIDAY, SATURDAY, MONDAY, WORKED = date(2026, 6, 12), date(2026, 6, 13), date(2026, 6, 15), date(2026, 6, 20)
HOLIDAYS = {"RU": Holidays({FRIDAY: "День России"}, frozenset({WORKED})), "KZ": Holidays({MONDAY: "Thursday's"})}


def of(*portal, desk=None, person=None, zones=None):
    return Calendars(
        portal=portal,
        desks={DESK: desk} if desk else {},
        people={PERSON: person} if person else {},
        zones=zones or {},
        holidays=HOLIDAYS,
        years=range(2024, 2029),
    )


@pytest.mark.parametrize(
    ("calendars", "day", "told"),
    [
        pytest.param(of(), MONDAY, DayTold(NINE_TO_SIX, Why.WEEK), id="nine to six when nobody said anything"),
        pytest.param(of(), SATURDAY, DayTold(NO_WORK, Why.WEEK), id="the week-end"),
        pytest.param(of(), FRIDAY, DayTold(NO_WORK, Why.HOLIDAY, "День России"), id="a holiday"),
        pytest.param(of(), WORKED, DayTold(NINE_TO_SIX, Why.MOVED), id="a Saturday worked instead"),
        pytest.param(of(Layer(week={0: LATE})), WORKED, DayTold(LATE, Why.MOVED), id="with the first day's hours"),
        pytest.param(of(Layer(week={5: SHORT})), WORKED, DayTold(SHORT, Why.WEEK), id="unless Saturday has its own"),
        pytest.param(of(Layer(week={0: LATE}), desk=Layer(week={1: SHORT})), MONDAY, DayTold(LATE, Why.WEEK),
                     id="a desk that says nothing of Mondays"),
        pytest.param(of(Layer(week={0: LATE}), desk=Layer(week={0: SHORT})), MONDAY, DayTold(SHORT, Why.WEEK),
                     id="the desk's week over the portal's"),
        pytest.param(of(desk=Layer(week={0: SHORT}), person=Layer(week={0: LATE})), MONDAY, DayTold(LATE, Why.WEEK),
                     id="the person's week over the desk's"),
        pytest.param(of(person=Layer(week={4: LATE})), FRIDAY, DayTold(NO_WORK, Why.HOLIDAY, "День России"),
                     id="a holiday is one whatever the person's week"),
        pytest.param(of(Layer(days={FRIDAY: SHORT})), FRIDAY, DayTold(SHORT, Why.SET), id="a day set beats a holiday"),
        pytest.param(of(Layer(days={FRIDAY: SHORT}), desk=Layer(days={FRIDAY: ()})), FRIDAY, DayTold((), Why.SET),
                     id="the desk's day over the portal's"),
        pytest.param(of(Layer(days={MONDAY: ()}), person=Layer(week={0: LATE})), MONDAY, DayTold((), Why.SET),
                     id="a day set below beats a week above"),
        pytest.param(of(Layer(country="KZ")), FRIDAY, DayTold(NINE_TO_SIX, Why.WEEK), id="another country"),
        pytest.param(of(Layer(country="KZ")), MONDAY, DayTold(NO_WORK, Why.HOLIDAY, "Thursday's"), id="its holidays"),
        pytest.param(of(desk=Layer(country=NO_COUNTRY)), FRIDAY, DayTold(NINE_TO_SIX, Why.WEEK), id="no holidays"),
        pytest.param(of(Layer(yearly_off=frozenset({(6, 15)}))), MONDAY, DayTold(NO_WORK, Why.HOLIDAY),
                     id="the portal's own holiday of every year"),
        pytest.param(of(Layer(yearly_working=frozenset({(6, 13)}))), SATURDAY, DayTold(NINE_TO_SIX, Why.MOVED),
                     id="the portal's own working day of every year"),
        pytest.param(of(Layer(yearly_working=frozenset({(6, 12)}))), FRIDAY,
                     DayTold(NO_WORK, Why.HOLIDAY, "День России"),
                     id="but a date of this year goes before it"),
        pytest.param(of(Layer(yearly_off=frozenset({(6, 15)})), desk=Layer(country=NO_COUNTRY)), MONDAY,
                     DayTold(NINE_TO_SIX, Why.WEEK), id="who names holidays replaces the portal's list"),
    ],
)  # fmt: skip
def test_the_hours_of_a_day(calendars, day, told):
    assert calendars.day(day, PERSON, DESK) == told
    noon = datetime(day.year, day.month, day.day, tzinfo=MOSCOW)
    open_ = timedelta(minutes=sum(hours.end - hours.start for hours in told.hours))
    assert calendars.of(PERSON, DESK).worked(noon, noon + timedelta(days=1)) == open_, "reckoned as it is told"


def test_others_keep_their_hours():
    calendars = of(desk=Layer(week={0: SHORT}), person=Layer(week={0: LATE}))
    assert [
        calendars.day(MONDAY, *who).hours for who in ((OTHER, DESK), (OTHER, None), (None, None), (None, DESK))
    ] == [
        SHORT,
        NINE_TO_SIX,
        NINE_TO_SIX,
        SHORT,
    ]


@pytest.mark.parametrize(
    ("calendars", "zone"),
    [
        pytest.param(of(), MOSCOW, id="Moscow when nothing is known"),
        pytest.param(of(Layer(zone=UTC)), UTC, id="the portal's"),
        pytest.param(of(Layer(zone=UTC), zones={PERSON: VLADIVOSTOK}), VLADIVOSTOK, id="the person's in the portal"),
        pytest.param(of(desk=Layer(zone=UTC), zones={PERSON: VLADIVOSTOK}), VLADIVOSTOK, id="over the desk's"),
        pytest.param(of(person=Layer(zone=UTC), zones={PERSON: VLADIVOSTOK}), UTC, id="what was set for him over it"),
    ],
)
def test_whose_clock_holds(calendars, zone):
    assert calendars.of(PERSON, DESK).zone == zone


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param("2026-08-22T10:00", "2026-08-24T09:15", id="Saturday morning"),
        pytest.param("2026-08-22T20:00", "2026-08-24T09:15", id="Saturday evening"),
        pytest.param("2026-08-23T12:00", "2026-08-24T09:15", id="Sunday noon"),
        pytest.param("2026-08-21T17:55", "2026-08-24T09:10", id="Friday, five minutes before the end"),
    ],
)
def test_what_the_sales_desk_reckoned_holds_without_any_setting(start, end):
    at, until = (datetime.fromisoformat(one).replace(tzinfo=MOSCOW) for one in (start, end))
    assert of().of(PERSON).deadline(at, timedelta(minutes=15)) == until


def test_nine_oclock_is_each_persons_own_when_the_clocks_change():
    berlin = ZoneInfo("Europe/Berlin")
    calendars = of(zones={PERSON: berlin})
    for day, utc_hour in ((date(2026, 3, 27), 8), (date(2026, 3, 30), 7), (date(2026, 10, 26), 8)):
        midnight = datetime(day.year, day.month, day.day, tzinfo=berlin)
        opened = calendars.of(PERSON).deadline(midnight, timedelta(minutes=1)) - timedelta(minutes=1)
        assert opened.astimezone(UTC).hour == utc_hour


def test_who_is_away_does_not_work_and_is_absent():
    start, end = (datetime(2026, 6, day, 12, tzinfo=MOSCOW) for day in (15, 16))
    calendars = Calendars(absences={PERSON: ((start, end),)}, dismissed=frozenset({OTHER}))
    assert calendars.of(PERSON).worked(start, end + timedelta(hours=1)) == timedelta(hours=1)
    assert [calendars.absent(PERSON, at) for at in (start - timedelta(seconds=1), start, end)] == [False, True, False]
    assert calendars.absent(OTHER, start)
    assert not calendars.absent(DESK, start.replace(hour=3)), "a night is no absence"


HOURS = st.sampled_from([(), NINE_TO_SIX, LATE, SHORT, (Hours(0, 60), Hours(1380, 1440))])
DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
YEARLY = st.frozensets(st.tuples(st.integers(1, 12), st.integers(1, 28)), max_size=4)
LAYERS = st.builds(
    Layer,
    zone=st.sampled_from([None, UTC, VLADIVOSTOK]),
    week=st.dictionaries(st.integers(0, 6), HOURS, max_size=7),
    country=st.sampled_from([None, NO_COUNTRY, "RU", "KZ"]),
    yearly_off=YEARLY,
    yearly_working=YEARLY,
    days=st.dictionaries(DAYS, HOURS, max_size=5),
)
UPPER = st.sampled_from(["portal", "desk", "person"])


@given(st.lists(LAYERS, max_size=2), LAYERS, LAYERS, DAYS)
def test_a_day_is_worked_as_it_is_told(portal, desk, person, day):
    calendars = of(*portal, desk=desk, person=person)
    calendar = calendars.of(PERSON, DESK)
    start = datetime(day.year, day.month, day.day, tzinfo=calendar.zone)
    minutes = sum(hours.end - hours.start for hours in calendars.day(day, PERSON, DESK).hours)
    assert calendar.worked(start, start + timedelta(days=1)) == timedelta(minutes=minutes)


@given(st.lists(LAYERS, max_size=2), LAYERS, LAYERS, DAYS)
def test_what_the_top_layer_says_holds(portal, desk, person, day):
    calendars = of(*portal, desk=desk, person=person)
    calendar, told = calendars.of(PERSON, DESK), calendars.day(day, PERSON, DESK)
    assert person.zone in {None, calendar.zone}
    assert all(calendar.week[weekday] == hours for weekday, hours in person.week.items())
    if day in person.days:
        assert told == DayTold(person.days[day], Why.SET)


@given(st.lists(LAYERS, max_size=2), LAYERS, UPPER, DAYS)
def test_a_layer_that_says_nothing_changes_nothing(portal, layer, empty, day):
    silent = Layer()
    bare = of(*portal, desk=layer)
    over = {
        "portal": of(*portal, silent, desk=layer),
        "desk": of(*portal, layer, desk=silent),
        "person": of(*portal, desk=layer, person=silent),
    }[empty]
    if empty == "desk":
        bare = of(*portal, layer)
    assert over.of(PERSON, DESK) == bare.of(PERSON, DESK)
    assert over.day(day, PERSON, DESK) == bare.day(day, PERSON, DESK)


def test_what_is_built_in_is_whole():
    assert (BUILT_IN.zone, sorted(BUILT_IN.week), BUILT_IN.country) == (MOSCOW, list(range(7)), "RU")
