"""Working time: the vectors that the sales desk named, hand-counted cases, and laws."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.working_time import NO_WORK, Hours, WorkingCalendar

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
NINE_TO_SIX = (Hours(9 * 60, 18 * 60),)
WITH_LUNCH = (Hours(9 * 60, 13 * 60), Hours(14 * 60, 18 * 60))
DESK = WorkingCalendar(MOSCOW, (NINE_TO_SIX,) * 5 + (NO_WORK,) * 2)
# In August 2026 the 17th is a Monday, the 21st a Friday.


def at(day, clock, *, month=8, zone=MOSCOW):
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, month, day, hour, minute, tzinfo=zone)


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        pytest.param(at(22, "10:00"), 15, at(24, "9:15"), id="Saturday morning"),
        pytest.param(at(22, "20:00"), 15, at(24, "9:15"), id="Saturday evening"),
        pytest.param(at(23, "12:00"), 15, at(24, "9:15"), id="Sunday noon"),
        pytest.param(at(21, "17:55"), 15, at(24, "9:10"), id="Friday, five minutes before the end"),
        pytest.param(at(21, "17:45"), 15, at(21, "18:00"), id="used up at the end of the day"),
        pytest.param(at(21, "18:00"), 15, at(24, "9:15"), id="the end of the day is not working time"),
        pytest.param(at(20, "8:00"), 15, at(20, "9:15"), id="before the day"),
        pytest.param(at(20, "10:00"), 0, at(20, "10:00"), id="nothing allowed"),
        pytest.param(at(22, "10:00"), 0, at(22, "10:00"), id="nothing allowed on a Saturday"),
        pytest.param(at(17, "9:00"), 9 * 60 * 5, at(21, "18:00"), id="a whole week"),
        pytest.param(at(17, "9:00").astimezone(UTC), 60, at(17, "10:00"), id="told in another zone"),
    ],
)
def test_an_allowance_runs_out(start, minutes, end):
    assert DESK.deadline(start, timedelta(minutes=minutes)) == end


@pytest.mark.parametrize(
    ("calendar", "start", "minutes", "end"),
    [
        pytest.param(
            WorkingCalendar(MOSCOW, (WITH_LUNCH,) * 7), at(20, "12:50"), 20, at(20, "14:10"), id="over the break"
        ),
        pytest.param(
            WorkingCalendar(MOSCOW, DESK.week, days={date(2026, 8, 24): NO_WORK}),
            at(21, "17:55"),
            15,
            at(25, "9:10"),
            id="a holiday on Monday",
        ),
        pytest.param(
            WorkingCalendar(MOSCOW, DESK.week, days={date(2026, 8, 22): (Hours(600, 660),)}),
            at(21, "17:55"),
            15,
            at(22, "10:10"),
            id="a working day moved to Saturday",
        ),
        pytest.param(
            DESK.away((at(24, "9:00"), at(25, "12:00"))), at(21, "17:55"), 15, at(25, "12:10"), id="away on Monday"
        ),
        pytest.param(
            DESK.away((at(24, "9:05"), at(24, "9:30"))), at(24, "9:00"), 15, at(24, "9:40"), id="a short absence"
        ),
        pytest.param(
            WorkingCalendar(MOSCOW, ((Hours(0, 120), Hours(1320, 1440)),) * 7),
            at(20, "23:50"),
            20,
            at(21, "0:10"),
            id="a shift over midnight",
        ),
    ],
)
def test_a_calendar_of_its_own(calendar, start, minutes, end):
    assert calendar.deadline(start, timedelta(minutes=minutes)) == end


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        pytest.param(at(17, "9:00"), at(17, "18:00"), 9, id="a day"),
        pytest.param(at(21, "17:00"), at(24, "10:00"), 2, id="over the week-end"),
        pytest.param(at(22, "0:00"), at(24, "0:00"), 0, id="the week-end"),
        pytest.param(at(24, "10:00"), at(21, "17:00"), 0, id="the wrong way round"),
        pytest.param(at(1, "0:00"), at(31, "23:59"), 21 * 9, id="August"),
    ],
)
def test_what_was_worked(start, end, hours):
    assert DESK.worked(start, end) == timedelta(hours=hours)


def test_nine_oclock_stays_nine_oclock_when_the_clocks_change():
    """On 29 March 2026 the night in Berlin is an hour short, on 25 October an hour long."""
    daily = WorkingCalendar(BERLIN, (NINE_TO_SIX,) * 7)
    nightly = WorkingCalendar(BERLIN, ((Hours(0, 6 * 60),),) * 7)
    for month, day, night in ((3, 29, 5), (10, 25, 7)):
        evening = at(day - 1, "18:00", month=month, zone=BERLIN)
        assert daily.deadline(evening, timedelta(minutes=1)) == at(day, "9:01", month=month, zone=BERLIN)
        assert nightly.worked(evening, at(day, "12:00", month=month, zone=BERLIN)) == timedelta(hours=night)


def test_hours_that_the_spring_skips_are_none():
    skipped = WorkingCalendar(BERLIN, ((Hours(135, 190),),) * 7)  # 2:15 to 3:10; that night 2:00 is 3:00
    spring = at(29, "0:00", month=3, zone=BERLIN)
    assert timedelta(0) <= skipped.worked(spring, spring + timedelta(hours=12)) <= timedelta(minutes=55)


def test_who_never_works_has_no_deadline():
    assert WorkingCalendar(MOSCOW, (NO_WORK,) * 7).deadline(at(20, "10:00"), timedelta(minutes=1)) is None


def test_a_working_day_is_as_long_as_most_days_are():
    friday_short = (NINE_TO_SIX,) * 4 + ((Hours(540, 960),),) + (NO_WORK,) * 2
    assert WorkingCalendar(MOSCOW, friday_short).day_length == timedelta(hours=9)
    assert WorkingCalendar(MOSCOW, (NO_WORK,) * 7).day_length == timedelta(0)


@pytest.mark.parametrize(
    ("moment", "works"), [(at(21, "9:00"), True), (at(21, "17:59"), True), (at(21, "18:00"), False)]
)
def test_whether_it_is_working_time(moment, works):
    assert DESK.works(moment) is works


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda: Hours(600, 600), id="empty"),
        pytest.param(lambda: Hours(-1, 60), id="before midnight"),
        pytest.param(lambda: Hours(0, 1441), id="after midnight"),
        pytest.param(lambda: WorkingCalendar(MOSCOW, (NO_WORK,) * 6), id="six days"),
        pytest.param(lambda: WorkingCalendar(MOSCOW, ((Hours(0, 60), Hours(30, 90)),) * 7), id="overlap"),
        pytest.param(lambda: DESK.away((at(20, "10:00"), at(20, "10:00"))), id="an absence of no length"),
    ],
)
def test_an_impossible_calendar_is_refused(wrong):
    with pytest.raises(ValueError, match=r"must|seven"):
        wrong()


# --- laws

MOMENTS = st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 30), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is given


@st.composite
def days(draw):
    edges = sorted(draw(st.sets(st.integers(0, 1440), max_size=6)))
    return tuple(Hours(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False))


@st.composite
def calendars(draw):
    absences = draw(st.lists(st.tuples(MOMENTS, st.timedeltas(timedelta(minutes=1), timedelta(days=9))), max_size=3))
    dates = st.dates(date(2026, 3, 1), date(2026, 11, 30))
    return WorkingCalendar(
        ZoneInfo(draw(st.sampled_from(["Europe/Moscow", "Europe/Berlin", "America/New_York", "Asia/Vladivostok"]))),
        tuple(draw(st.lists(days(), min_size=7, max_size=7))),
        draw(st.dictionaries(dates, days(), max_size=5)),
        tuple((start, start + length) for start, length in absences),
    )


@given(calendars(), MOMENTS, st.timedeltas(timedelta(seconds=1), timedelta(days=20)))
def test_at_the_deadline_exactly_the_allowance_was_worked(calendar, start, allowed):
    end = calendar.deadline(start, allowed)
    if end is None:
        assert calendar.worked(start, start + timedelta(days=1000)) < allowed
    else:
        assert calendar.worked(start, end) == allowed
        assert calendar.worked(start, end - timedelta(seconds=1)) < allowed


@given(calendars(), st.lists(MOMENTS, min_size=3, max_size=3))
def test_working_time_adds_up_and_never_exceeds_the_time_that_passed(calendar, moments):
    first, second, third = sorted(moments)
    whole = calendar.worked(first, third)
    assert calendar.worked(first, second) + calendar.worked(second, third) == whole
    assert timedelta(0) <= whole <= third - first


@given(calendars(), MOMENTS, st.timedeltas(timedelta(0), timedelta(days=9)), MOMENTS)
def test_an_absence_never_adds_working_time(calendar, start, length, away):
    end = start + length
    absent = calendar.away((away, away + timedelta(hours=30)))
    assert absent.worked(start, end) <= calendar.worked(start, end)


@given(calendars(), MOMENTS, st.timedeltas(timedelta(minutes=1), timedelta(hours=30)))
def test_it_agrees_with_counting_minute_by_minute(calendar, start, length):
    start = start.replace(second=0, microsecond=0)
    plain = WorkingCalendar(calendar.zone, calendar.week, calendar.days)
    minutes = int(length / timedelta(minutes=1))
    counted = sum(plain.works(start + timedelta(minutes=number)) for number in range(minutes))
    assert plain.worked(start, start + timedelta(minutes=minutes)) == timedelta(minutes=counted)
